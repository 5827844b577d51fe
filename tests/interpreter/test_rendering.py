"""What is rendered from files is what the interpreter in a cluster would apply for the same objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
import yaml

from dsl.compiler import compile_source
from dsl.ir import Program, Traffic
from dsl.source import Source
from interpreter.cluster.caches import Caches
from interpreter.cluster.stripping import strip_for
from interpreter.cluster.subject import Subject
from interpreter.desired import Routing
from interpreter.objects import Apply, Edit, Manifest, Objects, Ref, ref_of
from interpreter.rendering import CannotRender, Rendered, render, wanted
from interpreter.workloads.kind import REVISION
from interpreter.workloads.knative import PRIMARY as PRIMARY_REVISION
from interpreter.workloads.ratio import TOTAL

POLICY = """
import "std/http"
rollout checkout in shop {
  target  deployment/checkout
  service { port 80 }
  traffic istio
  analysis { every 1m; require success_rate >= 99% }
  steps { shift to 10%; promote }
}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: shop, uid: u1, labels: {team: shop}}
spec:
  replicas: 3
  selector: {matchLabels: {app.kubernetes.io/name: pay}}
  template:
    metadata: {labels: {app.kubernetes.io/name: pay}}
    spec:
      containers:
        - name: app
          image: registry.example/app:1
          ports: [{containerPort: 8080, name: http}]
          envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}}, {configMapRef: {name: elsewhere}}]
"""
SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "shop"},
    "data": {"colour": "red"},
}
KEYS = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "keys", "namespace": "shop"},
    "data": {"token": "c2VjcmV0LXZhbHVl"},
}
HPA = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "checkout", "namespace": "shop"},
    "spec": {
        "minReplicas": 2,
        "maxReplicas": 5,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
    },
}


def compiled(*changes: tuple[str, str]) -> Program:
    text = POLICY
    for old, new in changes:
        text = text.replace(old, new)
    compilation = compile_source(Source("checkout.rollout", text))
    assert not compilation.has_errors, compilation.diagnostics
    return compilation.rollouts[0].program


def deployment() -> Manifest:
    found: Manifest = yaml.safe_load(DEPLOYMENT)
    return found


def objects(*manifests: Any) -> Objects:
    return {ref_of(manifest): manifest for manifest in manifests}


def named(rendered: Rendered) -> list[str]:
    return [f"{kind}/{name}" for _, kind, _, name in map(_ref, rendered.changes)]


def manifest(rendered: Rendered, name: str) -> Manifest:
    [found] = [change for change in rendered.changes if f"{_ref(change).kind}/{_ref(change).name}" == name]
    assert isinstance(found, Apply)
    return found.manifest


def _ref(change: Any) -> Ref:
    match change:
        case Apply(made):
            return ref_of(made)
        case Edit(_, after):
            return ref_of(after)
    found: Ref = change.ref
    return found


class Known:
    """What informers would hold."""

    def __init__(self, given: Objects) -> None:
        self._given = given

    def get(self, ref: Ref) -> Manifest | None:
        found = self._given.get(ref)
        return None if found is None else strip_for(ref.kind)(found)

    find = get


ROUTES = ("networking.istio.io", "gateway.networking.k8s.io")
USERS = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "checkout", "namespace": "shop"},
    "spec": {"selector": {"app.kubernetes.io/name": "pay"}, "ports": [{"name": "web", "port": 8181}]},
}


@pytest.mark.parametrize("service", ["service { port 80 }", "service { port_discovery true }"])
@pytest.mark.parametrize("more", [(), (USERS,)], ids=["ours", "users"])
@pytest.mark.parametrize(
    "traffic", ["istio", 'gateway_api { hosts ["shop.example.com"]; gateway_refs [{ name: "web" }] }']
)
def test_the_primary_and_the_routes_are_those_of_the_interpreter_in_a_cluster(
    service: str, more: tuple[Manifest, ...], traffic: str
) -> None:
    given = objects(deployment(), SETTINGS, KEYS, *more)
    policy = compiled(("service { port 80 }", service), ("traffic istio", f"traffic {traffic}"))
    subject = Subject(policy, cast(Caches, Known(given)))
    snapshot = subject.snapshot()
    assert snapshot is not None
    rendered = render(policy, Routing(weight=20), given)
    primary = manifest(rendered, "Deployment/checkout-primary")
    assert primary["metadata"]["annotations"][REVISION] == snapshot.revision
    expected = subject.kind.primary(subject.program, deployment(), snapshot, 3, None)
    assert primary["spec"] == expected["spec"]
    routes = subject.provider.render(subject.site(""), Routing(weight=20), {})
    assert [change.manifest["spec"] for change in routes if isinstance(change, Apply)] == [
        change.manifest["spec"]
        for change in rendered.changes
        if isinstance(change, Apply) and change.manifest["apiVersion"].startswith(ROUTES)
    ]


def test_everything_is_there_once_services_first_and_routes_last() -> None:
    rendered = render(compiled(), Routing(weight=20), objects(deployment(), SETTINGS, KEYS))
    assert named(rendered) == [
        "Service/checkout-primary",
        "Service/checkout-canary",
        "Service/checkout",
        "ConfigMap/settings-primary",
        "Deployment/checkout-primary",
        "DestinationRule/checkout-canary",
        "DestinationRule/checkout-primary",
        "VirtualService/checkout",
    ]
    for change in rendered.changes:
        assert isinstance(change, Apply)
        labels = change.manifest["metadata"]["labels"]
        assert labels["rollway.dev/rollout"] == "checkout"
        assert labels["app.kubernetes.io/managed-by"] == "rollway"


def test_of_a_secret_nothing_is_rendered_but_that_it_is_copied() -> None:
    rendered = render(compiled(), Routing(), objects(deployment(), SETTINGS, KEYS))
    assert "c2VjcmV0LXZhbHVl" not in str(rendered)
    assert "Secret `shop/keys-primary` is a copy of Secret `shop/keys`, and is not shown" in rendered.notes


def test_what_is_not_there_is_said() -> None:
    assert any("ConfigMap `shop/elsewhere` is not there" in note for note in _notes(deployment(), SETTINGS, KEYS))
    [note] = _notes()
    assert note.startswith("Deployment `shop/checkout` is not there: pods are taken to be labelled `app=checkout`")


def _notes(*manifests: Any) -> tuple[str, ...]:
    return render(compiled(), Routing(), objects(*manifests)).notes


def test_without_the_target_there_are_services_and_routes() -> None:
    rendered = render(compiled(), Routing(weight=20), {})
    assert [name for name in named(rendered) if not name.startswith(("Service/", "Destination"))] == [
        "VirtualService/checkout"
    ]
    assert manifest(rendered, "Service/checkout-canary")["spec"]["selector"] == {"app": "checkout"}


def test_the_targets_own_label_is_in_the_services() -> None:
    rendered = render(compiled(), Routing(), objects(deployment()))
    label = "app.kubernetes.io/name"
    assert manifest(rendered, "Service/checkout-canary")["spec"]["selector"] == {label: "pay"}
    assert manifest(rendered, "Service/checkout")["spec"]["selector"] == {label: "pay-primary"}


def test_a_scaler_is_copied_if_it_is_there() -> None:
    policy = compiled(("service {", "scaler hpa/checkout\n  service {"))
    rendered = render(policy, Routing(), objects(deployment(), HPA))
    scaler = manifest(rendered, "HorizontalPodAutoscaler/checkout-primary")
    assert scaler["spec"]["scaleTargetRef"]["name"] == "checkout-primary"
    without = render(policy, Routing(), objects(deployment()))
    assert any("HorizontalPodAutoscaler `shop/checkout` is not there" in note for note in without.notes)


def test_where_services_are_all_there_is_they_carry_the_routing() -> None:
    policy = compiled(("traffic istio", "traffic kubernetes"), ("shift to 10%; ", ""))

    def selected(weight: float) -> str:
        rendered = render(policy, Routing(weight=weight), {})
        [change] = [one for one in rendered.changes if _ref(one).name == "checkout"]
        made = change.manifest if isinstance(change, Apply) else change.after if isinstance(change, Edit) else {}
        return str(made["spec"]["selector"]["app"])

    assert (selected(0), selected(100)) == ("checkout-primary", "checkout")
    with pytest.raises(CannotRender, match="no weights between 0% and 100%"):
        selected(20)


class TestReplicas:
    policy = compiled(("traffic istio", "traffic replicas"))

    def target(self, **labels: str) -> Manifest:
        found = deployment()
        found["spec"]["template"]["metadata"]["labels"] |= labels
        return found

    def test_a_share_is_in_the_numbers_of_pods_and_in_the_services_selector(self) -> None:
        rendered = render(self.policy, Routing(weight=50), objects(self.target(shop="pay")))
        assert manifest(rendered, "Service/checkout")["spec"]["selector"] == {"shop": "pay"}
        primary = manifest(rendered, "Deployment/checkout-primary")
        assert primary["spec"]["replicas"] == 2
        assert primary["metadata"]["annotations"][TOTAL] == "3"
        [edit] = [one for one in rendered.changes if isinstance(one, Edit)]
        assert (edit.after["metadata"]["name"], edit.after["spec"]["replicas"]) == ("checkout", 2)

    def test_a_share_that_is_rounded_is_noted(self) -> None:
        rendered = render(self.policy, Routing(weight=5), objects(self.target(shop="pay")))
        assert "5% comes to 25%: 1 of 4 pods; with 20 replicas it would be what it says" in rendered.notes

    @pytest.mark.parametrize(("weight", "selected"), [(0, "pay-primary"), (100, "pay")])
    def test_all_or_nothing_is_in_the_services_selector_alone(self, weight: float, selected: str) -> None:
        rendered = render(self.policy, Routing(weight=weight), objects(self.target()))
        service = manifest(rendered, "Service/checkout")
        assert service["spec"]["selector"] == {"app.kubernetes.io/name": selected}
        assert manifest(rendered, "Deployment/checkout-primary")["spec"]["replicas"] == 3

    def test_what_cannot_be_counted_is_refused(self) -> None:
        with pytest.raises(CannotRender, match="no label in common"):
            render(self.policy, Routing(weight=5), objects(self.target()))
        with pytest.raises(CannotRender, match="without the target") as refused:
            render(self.policy, Routing(weight=5), {})
        assert [ref.name for ref in refused.value.lacking] == ["checkout"]


class TestKnative:
    policy = compiled(
        ("deployment/checkout", "serving.knative.dev/v1/Service/checkout"), ("traffic istio", "traffic knative")
    )

    def test_nothing_is_made(self) -> None:
        service = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "checkout", "namespace": "shop", "annotations": {PRIMARY_REVISION: "checkout-00001"}},
            "spec": {"template": {"spec": {"containers": [{"image": "checkout:2"}]}}},
            "status": {"latestCreatedRevisionName": "checkout-00002"},
        }
        [edit] = render(self.policy, Routing(weight=20), objects(service)).changes
        assert isinstance(edit, Edit)
        assert [one["percent"] for one in edit.after["spec"]["traffic"]] == [80, 20]

    def test_another_provider_is_refused(self) -> None:
        istio = replace(self.policy, traffic=Traffic("istio", {}))
        with pytest.raises(CannotRender, match="which splits its own traffic: write `traffic knative`"):
            render(istio, Routing(weight=20), {})


def test_an_object_that_the_data_plane_needs_and_that_is_not_there_is_named() -> None:
    policy = compiled(("traffic istio", "traffic istio { route shop-routes }"))
    with pytest.raises(CannotRender) as failed:
        render(policy, Routing(weight=20), objects(deployment()))
    assert Ref("networking.istio.io/v1", "VirtualService", "shop", "shop-routes") in failed.value.lacking


def test_a_target_that_cannot_be_rolled_out_is_told_why() -> None:
    odd = deployment()
    odd["spec"]["selector"] = {"matchLabels": {"tier": "web"}}
    with pytest.raises(CannotRender, match="selector"):
        render(compiled(), Routing(), objects(odd))
    with pytest.raises(CannotRender, match="Widget"):
        render(compiled(("deployment/checkout", "apps.example.com/v1/Widget/checkout")), Routing(), {})


def test_what_is_read_grows_with_what_is_known() -> None:
    before = wanted(compiled(), {})
    after = wanted(compiled(), objects(deployment()))
    assert Ref("apps/v1", "Deployment", "shop", "checkout-primary") in before
    assert Ref("networking.istio.io/v1", "VirtualService", "shop", "checkout") in before
    further = {"settings", "keys", "elsewhere"}
    assert {ref.name for ref in after if ref.kind in ("ConfigMap", "Secret")} == further
    assert not {ref.name for ref in before} & further
