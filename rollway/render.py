"""`rollway render`: the objects that a routing is made of, before anything makes them."""

import os
from typing import TYPE_CHECKING, Annotated

from rollway.cluster.options import Context, Kubeconfig, Namespace
from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.terminal import Stop, put, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsl.ir import Program
    from interpreter.desired import Routing
    from interpreter.objects import Change, Manifest, Ref
    from rollway.cluster.session import Where
    from rollway.gathering import Gathered

_SUFFIXES = (".rollout", ".yaml", ".yml", ".json")


def command(
    what: Annotated[
        str,
        Argument("A policy, a Rollout or Canary in YAML, `-`, or the name of a rollout in the cluster.", "FILE|NAME"),
    ],
    weight: Annotated[
        str | None, Option("--weight", "The canary's share of requests; in a cluster what it has, else 0%.", "PERCENT")
    ] = None,
    mirror: Annotated[str | None, Option("--mirror", "The share that it gets a copy of.", "PERCENT")] = None,
    match: Annotated[
        list[str] | None,
        Option(
            "--match",
            "With requests to the canary that fit: `x-user=beta`, a condition as in the language, or `policy`. "
            "May be repeated.",
            "CONDITION",
        ),
    ] = None,
    sticky: Annotated[bool, Option("--sticky", "With the policy's sticky cookie.")] = False,
    baseline: Annotated[bool, Option("--baseline", "With the baseline, as while the canary is judged.")] = False,
    target: Annotated[
        str | None, Option("--target", "The target's manifest: its primary is printed too.", "FILE")
    ] = None,
    existing: Annotated[
        list[str] | None,
        Option("--existing", "Objects that exist, such as your Ingress; may be repeated.", "FILE", "-f"),
    ] = None,
    provider: Annotated[str | None, Option("--provider", "Another traffic provider than the policy's.", "NAME")] = None,
    rollout: Annotated[str | None, Option("--rollout", "Which of several rollouts.", "NAME")] = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Print the objects that a routing is made of: Services, the primary, routes.

    What is printed is what the interpreter would apply, as YAML documents. An object of yours that would be
    changed stands there as it would be then. A file is rendered without a cluster; of a rollout in the cluster
    the objects that exist are read, and nothing is written. The data of Secrets is never shown. A revision that is
    made of a file may be another than in a cluster, where the API server's defaults are part of it.

    \b
    Examples:
      rollway render checkout.rollout --weight 20%
      rollway render checkout.rollout --target deployment.yaml --weight 20% --mirror 10%
      rollway render shop.rollout --provider nginx -f ingress.yaml --match x-user=beta
      rollway render shop.rollout --match 'cookie "canary" == "always"' --weight 5%
      rollway render checkout -n shop | kubectl diff -f -

    Exit codes: 0 fine, 1 it cannot be rendered so, or the policy has errors, 2 wrong usage, unreadable input, or no
    such rollout.
    """
    from rollway.cluster.session import Where
    from rollway.gathering import from_files

    shares = _percent(weight, "--weight"), _percent(mirror, "--mirror") or 0.0
    if _is_file(what):
        more = [*([target] if target is not None else []), *(existing or [])]
        gathered = from_files(what, more, name=rollout, provider=provider)
        if gathered is None:
            return ExitCode.FINDINGS
    elif target is not None or existing is not None or rollout is not None:
        raise Stop(f"there is no file `{what}`; of a rollout in the cluster the objects that exist are read there")
    else:
        gathered = _from_cluster(Where(kubeconfig, context, namespace), what, provider)
    routing = _routing(gathered, *shares, match=match or [], sticky=sticky)
    return _print(gathered, routing, must_have_target=bool(target), baseline=baseline)


def _is_file(what: str) -> bool:
    return what == "-" or what.endswith(_SUFFIXES) or os.path.exists(what)


def _from_cluster(where: "Where", name: str, provider: str | None) -> "Gathered":
    from rollway.cluster.session import needs_cluster_extra, run

    needs_cluster_extra()
    from interpreter.rendering import CannotRender
    from rollway.cluster.gathering import from_cluster

    try:
        return run(where, lambda api, namespace: from_cluster(api, namespace, name, provider))
    except CannotRender as error:
        raise Stop(str(error), ExitCode.FINDINGS) from error


def _percent(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise Stop(f"`{option}` is a share such as `20%`, from 0% to 100%, not `{text}`")
    return value


def _routing(gathered: "Gathered", weight: float | None, mirror: float, *, match: list[str], sticky: bool) -> "Routing":
    from interpreter.desired import Routing
    from rollway.asking import asked_for

    program = gathered.program
    routes = [op for op in program.code if op.op == "route"]
    own = next((op.matches for op in routes if op.matches), ()) or ()
    cookie = next((op.sticky for op in routes if op.sticky is not None), None) if sticky else None
    if "policy" in match and not own:
        raise Stop(f"no step of `{program.name}` matches requests, so `--match policy` has nothing to take")
    tests = [text for text in match if text != "policy"]
    matches = (*(own if len(tests) < len(match) else ()), *asked_for(program, tests, mirror))
    if sticky and cookie is None:
        raise Stop(f"no step of `{program.name}` is sticky, so `--sticky` has nothing to take")
    return Routing(gathered.weight if weight is None else weight, mirror, matches, cookie)


def _print(gathered: "Gathered", routing: "Routing", *, must_have_target: bool, baseline: bool) -> int:
    from interpreter.rendering import CannotRender, render

    program, given = gathered.program, gathered.given
    if must_have_target:
        _check_target(program, given)
    try:
        session = "SESSION" if routing.sticky else ""
        rendered = render(program, routing, given, session=session, baseline=baseline)
    except CannotRender as error:
        lacking = _listed(error.lacking)
        raise Stop(
            f"{error}" + (f"; not there: {lacking} (`--existing FILE` gives it)" if lacking else ""), ExitCode.FINDINGS
        ) from error
    put("---\n".join(_document(change) for change in rendered.changes))
    for note in rendered.notes:
        say(f"note: {note}")
    return ExitCode.FINE


def _check_target(program: "Program", given: "Iterable[Ref]") -> None:
    from interpreter.workloads.kind import WorkloadError
    from interpreter.workloads.registry import ref_of_workload

    try:
        wanted = ref_of_workload(program.target, program.namespace)
    except WorkloadError as error:
        raise Stop(str(error), ExitCode.FINDINGS) from error
    given = list(given)
    if wanted not in given:
        raise Stop(f"`--target` holds {_listed(given) or 'nothing'}, and the policy's target is {wanted}")


def _listed(refs: "Iterable[Ref]") -> str:
    return ", ".join(str(ref) for ref in refs)


def _document(change: "Change") -> str:
    from interpreter.objects import Apply, Edit, ref_of

    match change:
        case Apply(manifest):
            return f"# {ref_of(manifest)}: rollway's own\n{_yaml(manifest)}"
        case Edit(before, after):
            return f"# {ref_of(before)}: yours, as it would be\n{_yaml(after)}"
    return f"# {change.ref}: removed\n"


def _yaml(manifest: "Manifest") -> str:
    import yaml

    text: str = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=120)
    return text
