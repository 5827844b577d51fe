"""The provider strings of Flagger, and the data planes of ours that they stand for.

Flagger takes any word that it does not know for Istio. Here it is an error.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dsl.capabilities import PROVIDERS, Capability, row_of
from dsl.flagger.problems import Problems
from dsl.suggest import closest, question


class Plane(NamedTuple):
    """`provider` is a row of `dsl.capabilities`; `api` the objects that Flagger's users have, where there are several.

    `flagger` is the string as it was written.
    """

    provider: str
    api: str = ""
    flagger: str = ""

    @property
    def can(self) -> Capability:
        return row_of(self.provider, {"api": self.api}) or PROVIDERS[self.provider]

    @property
    def matches(self) -> bool:
        """Whether Flagger sends requests to the canary by what they carry; with TrafficSplits it never does."""
        return self.can.matches and self.provider != "smi"


_EXACT = {
    "istio": Plane("istio"),
    "linkerd": Plane("linkerd", "smi"),
    "osm": Plane("osm"),
    "appmesh": Plane("appmesh", "v1beta2"),
    "contour": Plane("contour"),
    "nginx": Plane("nginx"),
    "skipper": Plane("skipper"),
    "traefik": Plane("traefik"),
    "apisix": Plane("apisix"),
    "kuma": Plane("kuma", "TrafficRoute"),
    "knative": Plane("knative"),
    "kubernetes": Plane("kubernetes"),
}
_FORMS = (
    (re.compile(r"smi:(v1alpha[123])(?::\w+)?"), "smi"),
    (re.compile(r"appmesh:(v1beta2)\w*"), "appmesh"),
    (re.compile(r"gatewayapi:(v1beta1|v1)"), "gateway_api"),
)
KNOWN = (
    *_EXACT,
    "gloo",
    "appmesh:v1beta2",
    "gatewayapi:v1",
    "gatewayapi:v1beta1",
    "smi:v1alpha1",
    "smi:v1alpha2",
    "smi:v1alpha3",
)
_MORE = {"gatewayapi": "write `gatewayapi:v1`", "gateway_api": "write `gatewayapi:v1`", "smi": "write `smi:v1alpha2`"}


def plane_of(text: str) -> Plane | None:
    """The data plane that a provider string names, None for one that names none."""
    if text in _EXACT:
        return _EXACT[text]._replace(flagger=text)
    if text.startswith("gloo"):
        return Plane("gloo", flagger=text)
    for form, provider in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            return Plane(provider, found[1], text)
    return None


def read_plane(text: str, path: str, problems: Problems) -> Plane | None:
    """The same, with the unknown string reported."""
    plane = plane_of(text)
    if plane is None:
        help = _MORE.get(text) or question(closest(text, KNOWN)) or f"it is one of {', '.join(KNOWN)}"
        problems.error(path, f"is `{text[:60]}`, which is no provider (Flagger would take it for Istio)", help)
    elif text == "appmesh":
        problems.warn(path, "means v1beta1, which API servers have not taken since Kubernetes 1.22: v1beta2 is written")
    return plane
