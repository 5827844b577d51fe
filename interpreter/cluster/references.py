"""What a policy may name in other namespaces: MetricTemplates and AlertProviders, unless that is switched off. Pure.

Without a namespace a reference means the rollout's own; a Secret is always one of the namespace of whatever names it.
Who may write a policy can, through a template of another namespace, use that namespace's credentials without seeing
them; where namespaces do not trust each other this is switched off, as in Flagger and with the same word.
"""

from __future__ import annotations

from collections.abc import Iterator

from dsl.ir import Program

SWITCH = "--no-cross-namespace-refs"


def foreign(program: Program) -> tuple[str, ...]:
    """What is wrong with a policy where everything must be of the rollout's own namespace, a sentence each."""
    return tuple(_sentence(program.namespace, *found) for found in _references(program))


def _references(program: Program) -> Iterator[tuple[str, str, str]]:
    """Who names what of another namespace: the words for who, the kind, and its `namespace/name`."""
    for name, metric in sorted(program.metrics.items()):
        if metric.template is not None and not _is_own(program, metric.template):
            yield f"the metric `{name}`", "MetricTemplate", metric.template
    for name, channel in sorted(program.channels.items()):
        if channel.kind == "provider" and not _is_own(program, channel.to):
            yield f"the channel `{name}`", "AlertProvider", channel.to


def _is_own(program: Program, key: str) -> bool:
    return key.partition("/")[0] == program.namespace


def _sentence(own: str, who: str, kind: str, key: str) -> str:
    return (
        f"{who} names the {kind} `{key}` of another namespace, and this controller runs with {SWITCH}: "
        f"put it into `{own}`, or run the controller without"
    )
