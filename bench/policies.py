"""Policies by the thousand: the examples, each copy with names and numbers of its own."""

from __future__ import annotations

from pathlib import Path

from bench.child import ROOT

SMALL = ("canary", "blue_green", "ab_test", "mirror", "stateful")
NAMES = ("podinfo", "frontend", "search", "agent", "ledger", "widgets")


def example(name: str) -> str:
    return (ROOT / "examples" / f"{name}.rollout").read_text()


def copy_of(name: str, number: int) -> str:
    """An example with its workloads renamed and a threshold changed: no two copies are the same text."""
    text = example(name)
    for word in NAMES:
        text = text.replace(f"{word} in ", f"{word}-{number} in ").replace(f"/{word}\n", f"/{word}-{number}\n")
    return text.replace("success_rate >= 99%", f"success_rate >= 99.{number % 1000:03}%")


def write(folder: Path, count: int) -> None:
    """So many policy files, in folders of a hundred."""
    for number in range(count):
        path = folder / f"team-{number // 100}" / f"policy-{number}.rollout"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(copy_of(SMALL[number % len(SMALL)], number))


def long_policy(lines: int) -> str:
    """One file of at least so many lines: many rollouts, which share one import."""
    text, number = 'import "std/http"\n', 0
    while text.count("\n") < lines:
        body = copy_of("canary", number)
        text += "\n" + body[body.index("rollout ") :]
        number += 1
    return text
