"""`spec.analysis`: how the traffic moves, what is checked meanwhile, and who is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dsl.flagger.matching import Test, read_matches
from dsl.flagger.measures import read_metric
from dsl.flagger.model import Affinity, Alert, Analysis, Hook, Reference
from dsl.flagger.planes import Plane
from dsl.flagger.problems import Problems
from dsl.flagger.reading import go_duration

KUBERNETES_ITERATIONS = 10
_LEAST_INTERVAL_MS = 10_000
_MINUTE_MS = 60_000
COOKIE_NAME = r"[A-Za-z0-9_.-]+"
"""What the language takes; Flagger takes anything, and a browser would throw most of it away."""

_STEPS = ("iterations", "stepWeight", "stepWeights")


def read_analysis(
    raw: Mapping[str, Any], namespace: str, plane: Plane, protocol: str, problems: Problems
) -> Analysis | None:
    """The analysis whose fields have their shapes; None, with the reasons, if it cannot be carried out by the data
    plane. `protocol` is the Service's `appProtocol`."""
    return _Reader(raw, namespace, plane, protocol, problems).analysis()


class _Reader:
    def __init__(self, raw: Mapping[str, Any], namespace: str, plane: Plane, protocol: str, problems: Problems) -> None:
        self.raw, self.namespace, self.plane, self.protocol, self.problems = raw, namespace, plane, protocol, problems

    def analysis(self) -> Analysis | None:
        raw, problems = self.raw, self.problems
        every = self._every()
        weights = self._strategy()
        metrics = tuple(
            found
            for index, item in enumerate(raw.get("metrics", []))
            if (found := read_metric(item, f"spec.analysis.metrics[{index}]", self.namespace, problems)) is not None
        )
        hooks = tuple(
            hook
            for index, item in enumerate(raw.get("webhooks", []))
            if (hook := self._hook(item, f"spec.analysis.webhooks[{index}]")) is not None
        )
        affinity = self._affinity()
        iterations = max(0, raw.get("iterations", 0))
        if self.plane.provider == "kubernetes" and iterations < 1:
            iterations, weights = KUBERNETES_ITERATIONS, ()
        matches = self._matches(iterations)
        if problems.fatal:
            return None
        return Analysis(
            every_ms=every,
            threshold=max(1, raw["threshold"]),
            iterations=iterations,
            weights=weights,
            step=raw.get("stepWeight", 0) if weights else 0,
            promote_step=min(100, max(0, raw.get("stepWeightPromotion", 0))) if self.plane.can.weights else 0,
            mirror=self._mirror(),
            matches=matches,
            metrics=metrics,
            alerts=tuple(self._alert(item) for item in raw.get("alerts", [])),
            hooks=hooks,
            affinity=affinity,
            ready_primary=raw.get("primaryReadyThreshold", 100),
            ready_canary=raw.get("canaryReadyThreshold", 100),
        )

    def _every(self) -> int:
        every: int = self.raw.get("interval", _MINUTE_MS)
        if every < _LEAST_INTERVAL_MS:
            self.problems.warn("spec.analysis.interval", "is below 10s, the least: 10s are taken")
        return max(_LEAST_INTERVAL_MS, every)

    def _strategy(self) -> tuple[int, ...]:
        """The weights that the canary goes through; none for A/B and blue/green."""
        raw, problems, path = self.raw, self.problems, "spec.analysis"
        kinds = [name for name in _STEPS if name in raw]
        if not kinds:
            problems.error(
                path, f"has no steps: none of {', '.join(_STEPS)}", "add `stepWeight: 10` and `maxWeight: 50`"
            )
            return ()
        if len(kinds) > 1:
            problems.error(
                f"{path}.{kinds[1]}", f"stands beside `{kinds[0]}`, and only one of them can be", "take one of them out"
            )
            return ()
        if self.plane.provider == "kubernetes":
            self._no_weights(kinds[0])
            return ()
        match kinds[0]:
            case "iterations":
                if raw["iterations"] < 1:
                    problems.error(f"{path}.iterations", f"is {raw['iterations']}: the canary would never be promoted")
                elif self.plane.provider == "knative":
                    problems.error(f"{path}.iterations", "cannot be had with `knative`", "use `stepWeight`")
                return ()
            case "stepWeight":
                return self._even_steps(raw["stepWeight"], raw.get("maxWeight") or 100)
            case _:
                return self._listed_steps(raw["stepWeights"])

    def _no_weights(self, kind: str) -> None:
        iterations = self.raw.get("iterations", 0)
        if iterations < 1:
            said = f"`{kind}` gives no number of checks, and Services cannot split traffic"
            self.problems.warn(
                f"spec.analysis.{kind}", f"{said}: {KUBERNETES_ITERATIONS} checks are made", "write `iterations: 10`"
            )

    def _even_steps(self, step: int, most: int) -> tuple[int, ...]:
        if step < 1:
            self.problems.error("spec.analysis.stepWeight", f"is {step}: the canary would never get any traffic")
            return ()
        return (*range(step, most, step), most)

    def _listed_steps(self, steps: list[int]) -> tuple[int, ...]:
        path = "spec.analysis.stepWeights"
        if not steps:
            self.problems.error(path, "is empty: the canary would never get any traffic")
        for index in range(1, len(steps)):
            if steps[index] <= steps[index - 1]:
                self.problems.error(f"{path}[{index}]", f"is {steps[index]}, after {steps[index - 1]}", "let them rise")
                break
        return tuple(steps)

    def _mirror(self) -> int | None:
        raw = self.raw
        if not raw.get("mirror", False):
            return None
        share: int = raw.get("mirrorWeight") or 100
        can, protocol = self.plane.can, self.protocol
        if not can.mirror or protocol == "tcp":
            self.problems.warn(
                "spec.analysis.mirror",
                f"`{self.plane.flagger}` cannot mirror {'tcp ' if can.mirror else ''}requests: that step is left out",
                "take `mirror` out (Flagger would never get past it, or pass it over)",
            )
            return None
        return share

    def _matches(self, iterations: int) -> tuple[tuple[Test, ...], ...]:
        raw, path = self.raw.get("match", []), "spec.analysis.match"
        if not raw:
            return ()
        if self.plane.provider == "kubernetes":
            self.problems.warn(path, "Services cannot tell requests apart: it is left out", "take `match` out")
            return ()
        if iterations < 1:
            self.problems.error(path, "needs `iterations`", "write `iterations: 10` for the steps that there are")
            return ()
        if not self.plane.matches:
            self.problems.error(
                path,
                f"`{self.plane.flagger}` cannot tell requests apart (with Flagger all traffic would go to the canary)",
                "take `match` out, or use another provider",
            )
            return ()
        return read_matches(raw, path, self.plane, self.problems)

    def _hook(self, item: Mapping[str, Any], path: str) -> Hook | None:
        said, timeout = item.get("timeout", ""), 10_000
        if len(said) >= 2:
            read_ms = go_duration(said)
            if not read_ms or read_ms > 86_400_000:
                self.problems.error(
                    f"{path}.timeout", f"is `{said[:40]}`, which is no time to wait", "write a duration such as `30s`"
                )
                return None
            timeout = read_ms
        if not item["url"].startswith(("http://", "https://")):
            self.problems.error(
                f"{path}.url", "is no address that can be called", "let it begin with http:// or https://"
            )
            return None
        return Hook(
            name=item["name"],
            type=item.get("type") or "rollout",
            url=item["url"],
            path=path,
            timeout_ms=timeout,
            retries=min(100, max(0, item.get("retries", 0))),
            insecure=item.get("disableTLS", False),
            mute=item.get("muteAlert", False),
            metadata=item.get("metadata", {}),
        )

    def _alert(self, item: Mapping[str, Any]) -> Alert:
        ref = item["providerRef"]
        provider = Reference("AlertProvider", ref["name"], "", ref.get("namespace") or self.namespace)
        return Alert(item["name"], item.get("severity") or "info", provider)

    def _affinity(self) -> Affinity | None:
        raw, path = self.raw.get("sessionAffinity"), "spec.analysis.sessionAffinity"
        if raw is None:
            return None
        if re.fullmatch(COOKIE_NAME, raw["cookieName"]) is None:
            bounds = "is made of other signs than letters, digits, `-`, `_` and `.`"
            self.problems.error(f"{path}.cookieName", bounds, "leave out all other signs")
            return None
        if raw["cookieName"] == raw.get("primaryCookieName"):
            self.problems.error(f"{path}.primaryCookieName", "is the same as `cookieName`", "give it another name")
        if not self.plane.can.sticky or self.protocol == "tcp":
            self.problems.warn(path, f"`{self.plane.flagger}` cannot keep users by a cookie: it is left out")
            return None
        names = ("primaryCookieName", "domain", "path", "sameSite", "httpOnly", "secure", "partitioned")
        attributes = {name: raw[name] for name in names if raw.get(name)}
        return Affinity(raw["cookieName"], (max(0, raw.get("maxAge", 0)) or 86_400) * 1000, attributes)
