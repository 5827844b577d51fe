"""`rollway simulate`: a policy in virtual time, against a world that is healthy where nothing else is said."""

import json
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from dsl.diagnostics import Diagnostic, Severity
from dsl.source import Source, Span
from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.policies import Policies, compile_one, compiled, refuse, rollouts
from rollway.terminal import Stop, put, say

if TYPE_CHECKING:
    from dsl.compilation import Compilation, CompiledRollout
    from dsl.ir import Program, TestCase
    from interpreter.simulator.scenario import Scenario
    from interpreter.simulator.timeline import Story


def command(
    paths: Annotated[
        list[str], Argument("Files, folders with `*.rollout` in them, or `-` for standard input.", "PATH")
    ],
    rollout: Annotated[str | None, Option("--rollout", "Which of several rollouts.", "NAME")] = None,
    given: Annotated[
        list[str] | None, Option("--given", "What happens, as a `test` block says it; may be repeated.", "STATEMENT")
    ] = None,
    test: Annotated[str | None, Option("--test", "Take what happens from this `test` block.", "TITLE")] = None,
    start: Annotated[
        str | None, Option("--start", "When the new revision appears: `sat 03:00`, `2026-03-02T10:00`.", "WHEN")
    ] = None,
    as_json: Annotated[bool, Option("--json", "Print the timelines as JSON: one array.")] = False,
) -> int:
    """Run a policy in virtual time against a scenario.

    Without `--given` and `--test` all is well: checks pass, webhooks accept, people approve a minute after
    they are asked. What is stated with `--given` changes that from its moment on; times count from the
    appearance of the new revision. Values that nobody stated are chosen so that the checks pass, and shown.

    \b
    Examples:
      rollway simulate checkout.rollout
      rollway simulate checkout.rollout --given "success_rate = 80% after 3m"
      rollway simulate checkout.rollout --given "provider_down after 2m for 5m" --given "abort after 9m"
      rollway simulate shop.rollout --test "a burst of errors rolls back"

    Exit codes: 0 promoted (or ended as the policy's last step says), 1 not promoted, or the policy has
    errors, 2 wrong usage or unreadable input.
    """
    if given and test is not None:
        raise Stop("`--given` and `--test` both say what happens: give one of them")
    policies = compiled(paths)
    chosen = rollouts(policies, rollout, doing="simulate")
    if given:
        return _finish(_stated(chosen, given, start), policies, as_json)
    if test is not None:
        return _finish(_tested(policies, rollout, test, start), policies, as_json)
    runs = [_Run(found.program, _healthy(found.program, start)) for _, found in chosen]
    return _finish(runs, policies, as_json)


class _Run(NamedTuple):
    """One rollout and the scenario to put it in."""

    program: "Program"
    scenario: "Scenario"
    test: "TestCase | None" = None


def _finish(runs: list[_Run] | None, policies: Policies, as_json: bool) -> int:
    from interpreter.simulator.inversion import Problem
    from interpreter.simulator.simulation import simulate
    from interpreter.simulator.telling import data, text

    if runs is None:
        return ExitCode.FINDINGS
    stories: list[Story] = []
    code = policies.code
    for program, scenario, test in runs:
        story = simulate(program, scenario, metrics=None if test is None else test.metrics)
        if isinstance(story, Problem):
            say(f"rollway: cannot simulate `{program.name}`: {story.text}")
            code = code or ExitCode.FINDINGS
            continue
        stories.append(story)
        code = code or (ExitCode.FINE if as_hoped(story) else ExitCode.FINDINGS)
    if as_json:
        shown: list[dict[str, Any]] = [data(story) for story in stories]
        put(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    else:
        put("\n".join(text(story) for story in stories))
    return code


def as_hoped(story: "Story") -> bool:
    """Whether the rollout ended as its policy means it to: promoted, or rolled back where that is its last step."""
    last = story.program.code[-1] if story.program.code else None
    return story.outcome == ("rolled_back" if last is not None and last.op == "rollback" else "promoted")


# --- scenarios --------------------------------------------------------------------------------------------------


def _healthy(program: "Program", start: str | None) -> "Scenario":
    from interpreter.simulator.scenario import healthy

    return _started(healthy(program), program, start)


def _started(scenario: "Scenario", program: "Program", start: str | None) -> "Scenario":
    from interpreter.simulator.scenario import start_of

    if start is None:
        return scenario
    try:
        return scenario._replace(start_ms=start_of(start, program))
    except (ValueError, OverflowError):
        example = "a day and a time (`sat 03:00`) or a date and a time (`2026-03-02T10:00`)"
        raise Stop(f"`--start` takes {example}, and `{start}` is neither") from None


def _tested(policies: Policies, rollout: str | None, title: str, start: str | None) -> list[_Run]:
    from interpreter.simulator.scenario import of_test

    every = [(compilation, test) for _, compilation in policies.compilations for test in compilation.tests]
    found = [pair for pair in every if pair[1].title == title and rollout in (None, pair[1].rollout)]
    if not found and policies.code == ExitCode.FINE:
        titles = ", ".join(f"`{test.title}`" for _, test in every)
        raise Stop(f"there is no test `{title}`" + (f"; there is {titles}" if titles else ", nor any other"))
    return [
        _Run(program, _started(of_test(program, test), program, start), test)
        for compilation, test in found
        for program in (_program(compilation, test.rollout),)
        if program is not None
    ]


def _program(compilation: "Compilation", name: str) -> "Program | None":
    return next((found.program for found in compilation.rollouts if found.program.name == name), None)


def _stated(
    chosen: list[tuple["Compilation", "CompiledRollout"]], given: list[str], start: str | None
) -> list[_Run] | None:
    """Each rollout with what `--given` states, compiled as a `test` block behind the rollout's own text."""
    runs: list[_Run] = []
    for compilation, found in chosen:
        name = found.program.name
        own = compilation.file.source
        block = _Block.of(own.text, name, given)
        fresh = compile_one(Source(own.name, block.text))
        errors = [each for each in fresh.diagnostics if each.severity is Severity.ERROR]
        if errors:
            refuse(block.placed(error) for error in errors)
            return None
        program, test = _program(fresh, name), fresh.tests[-1]
        if program is not None:
            scenario = _healthy(program, start)._replace(title=", ".join(given), givens=test.givens)
            if any(event.what == "approval" for event in scenario.events):
                scenario = scenario._replace(approve_after_ms=None)
            runs.append(_Run(program, scenario, test))
    return runs


class _Block(NamedTuple):
    """A policy's text with a `test` block behind it; `places` are where the statements of `--given` stand in it."""

    text: str
    places: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, text: str, rollout: str, given: list[str]) -> "_Block":
        whole = f'{text}\n\ntest "--given" for {rollout} {{\n'
        places = []
        for statement in given:
            words = " ".join(statement.removeprefix("given ").split("\n"))
            places.append((len(whole) + len("  given "), words))
            whole += f"  given {words}\n"
        return cls(whole + "}\n", tuple(places))

    def placed(self, diagnostic: Diagnostic) -> Diagnostic:
        """A finding within what `--given` states, shown there."""
        labels = tuple(label._replace(span=self._place(label.span)) for label in diagnostic.labels)
        return diagnostic._replace(span=self._place(diagnostic.span), labels=labels, fixes=())

    def _place(self, span: Span) -> Span:
        for start, statement in self.places:
            if start <= span.start <= start + len(statement):
                end = min(span.end - start, len(statement))
                return Span(Source("--given", statement), span.start - start, end)
        return span
