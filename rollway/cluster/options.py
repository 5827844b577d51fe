"""What every command that speaks to a cluster takes on its line."""

from __future__ import annotations

import re
from typing import Annotated

from rollway.parameters import Argument, Option
from rollway.terminal import Stop

Name = Annotated[
    str,
    Argument("The rollout; `rollout/NAME` or `canary/NAME` where there is one of each.", "NAME"),
]
Namespace = Annotated[
    str | None, Option("--namespace", "The namespace; that of the kubeconfig's context if unsaid.", "NAME", "-n")
]
Kubeconfig = Annotated[
    str | None, Option("--kubeconfig", "The kubeconfig; $KUBECONFIG or ~/.kube/config if unsaid.", "FILE")
]
Context = Annotated[str | None, Option("--context", "The kubeconfig's context; its current one if unsaid.", "NAME")]
Revision = Annotated[
    str | None, Option("--revision", "The revision that is meant; the one under way if unsaid.", "REVISION")
]
Step = Annotated[int | None, Option("--step", "Hold it for this step only, by its number in `status`.", "N")]
Reason = Annotated[str, Option("--reason", "Why, for the record.", "TEXT")]
Wait = Annotated[str, Option("--wait", "How long to wait until it has been taken.", "DURATION")]
NoWait = Annotated[bool, Option("--no-wait", "Do not wait until it has been taken.")]

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str, option: str) -> float:
    """A length of time such as `90s` or `1h30m`, in seconds. Raises `Stop` that names the option."""
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise Stop(f"`{option}` is a length of time such as `90s` or `1h30m`, not `{text}`")
    return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
