"""What a decision will do, in words that are asked back before it is carried out. Pure."""

from __future__ import annotations

from dsl.ir import Program, WaitOp
from interpreter.durations import duration
from rollway.dashboard.about import About


def question(verb: str, about: About) -> str:
    """The decision as a question, with the revision that it speaks of."""
    revision, name = about.one.revision, f"{about.one.spoken} in {about.one.namespace}"
    match verb:
        case "approve":
            return f"Approve revision {revision} of {name}?"
        case "promote":
            return f"Promote revision {revision} of {name} now?"
        case "abort":
            return f"Abort the rollout of revision {revision} of {name}?"
        case "retry":
            return f"Try revision {revision} of {name} again?"
        case "pause":
            return f"Pause the rollout of revision {revision} of {name}?"
        case _:
            return f"Go on with the rollout of revision {revision} of {name}?"


def consequences(verb: str, about: About) -> list[str]:
    """What will happen, a sentence each."""
    one = about.one
    share = f"{one.weight:g}% of the traffic"
    match verb:
        case "approve":
            return _approved(about)
        case "promote":
            return _promoted(about, share)
        case "abort":
            back = f"All traffic goes back to the primary (revision {one.primary or 'of before'}) at once."
            now = f"Revision {one.revision} has {share} now and will have none."
            return [back, now, "The rollout ends as failed; the revision is tried again only if somebody asks for it."]
        case "retry":
            begin = f"The rollout of revision {one.revision} begins anew with its first step, at no traffic."
            return [begin, *_first(about)]
        case "pause":
            stays = f"Revision {one.revision} stays at {share}, until somebody lets it go on."
            return [stays, "While it is paused no checks are made; a canary that breaks is still rolled back."]
        case _:
            at = about.present
            goes = f"It goes on with step {at.number}: {at.text}." if at is not None else "It goes on where it was."
            return [goes, f"Revision {one.revision} has {share}."]


def _approved(about: About) -> list[str]:
    said = []
    if about.present is not None:
        said.append(f"Step {about.present.number} ({about.present.text}) is done with this approval, and no other is.")
    if about.coming is not None:
        share = f", with {about.coming.canary} of the traffic on the canary" if _moves(about) else ""
        said.append(f"The rollout goes on with step {about.coming.number}: {about.coming.text}{share}.")
    return said or ["The rollout goes on."]


def _moves(about: About) -> bool:
    """Whether the next step gives the canary another share than it has."""
    return about.coming is not None and about.coming.canary not in ("", f"{about.one.weight:g}%")


def _promoted(about: About, share: str) -> list[str]:
    left = [step for step in about.steps if about.present is None or step.pcs[0] > about.present.pcs[0]]
    skipped = [step for step in left if step.text != "promote"]
    said = [f"The primary takes revision {about.one.revision}, and gets the traffic back. The canary has {share} now."]
    if skipped:
        words = ", ".join(f"{step.number} ({step.text})" for step in skipped[:5])
        more = f" and {len(skipped) - 5} more" if len(skipped) > 5 else ""
        said.append(f"These steps are not run, and nothing is checked any more: {words}{more}.")
    if about.program is not None and about.program.guardrails:
        said.append("What guardrails require before a promotion still holds.")
    return said


def _first(about: About) -> list[str]:
    return [f"That is: {about.steps[0].text}."] if about.steps else []


def deadline(program: Program | None, pc: int | None) -> str:
    """What becomes of a wait for approval that nobody answers; empty where it waits for ever."""
    if program is None or pc is None or not 0 <= pc < len(program.code):
        return ""
    op = program.code[pc]
    if not isinstance(op, WaitOp) or op.within_ms is None:
        return ""
    otherwise = "it is rolled back" if op.otherwise == "rollback" else "it goes on"
    return f"without an answer within {duration(op.within_ms)} {otherwise}"
