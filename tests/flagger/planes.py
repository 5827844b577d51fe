"""The series of data planes that cannot run here: Istio's, OSM's, Linkerd's, APISIX', Kuma's, ingress-nginx's,
Skipper's, those of the Envoys of Gloo, App Mesh and Knative, and of applications that count.

They are told to a real Prometheus as if requests came in to the canary `podinfo` all the time, a hundred a second, each
answered in 20 ms; by a bad canary all of them with a 500. A Prometheus remembers what it has seen for as long as a
query looks back: a bad canary has one of its own.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RATE = 100.0
NAMESPACES = ("test", "ab-test", "bg-test", "sa-test")
INGRESSES = {"podinfo": "podinfo", "podinfo-ingress": "podinfo-service"}
"""Of the samples: the Ingress, and the Service behind it."""
_SECONDS = ("0.01", "0.025", "0.1", "0.5", "+Inf")
_MILLISECONDS = ("10", "25", "100", "500", "+Inf")


def page(status: str, seconds: float) -> str:
    """What is exported after so many seconds, if all requests were answered with this status."""
    counts = {"200": 0.0, "500": 0.0}
    counts[status] = seconds * RATE
    return "\n".join(line for namespace in NAMESPACES for line in _series(namespace, counts)) + "\n"


def _series(namespace: str, counts: Mapping[str, float]) -> Iterator[str]:
    """All series of the canary in a namespace."""
    every = sum(counts.values())
    for reporter in ("source", "destination"):
        labels = {
            "reporter": reporter,
            "destination_workload_namespace": namespace,
            "destination_workload": "podinfo",
        }
        yield from _counted("istio_requests_total", labels, "response_code", counts)
        yield from _timed("istio_request_duration_milliseconds", labels, _MILLISECONDS, every)
    labels = {"destination_namespace": namespace, "destination_kind": "Deployment", "destination_name": "podinfo"}
    yield from _counted("osm_request_total", labels, "response_code", counts)
    yield from _timed("osm_request_duration_ms", labels, _MILLISECONDS, every)
    of_linkerd = {"namespace": namespace, "direction": "inbound", "deployment": "podinfo"}
    labels = {**of_linkerd, "pod": "podinfo-5f7b9c6d4f-x2k4q"}
    judged = {"success": counts["200"], "failure": counts["500"]}
    yield from _counted("response_total", labels, "classification", judged)
    yield from _timed("response_latency_ms", labels, _MILLISECONDS, every)
    for pod in ("podinfo-5f7b9c6d4f-x2k4q", "podinfo-ds-x2k4q"):
        labels = {"kubernetes_namespace": namespace, "kubernetes_pod_name": pod, "path": "root"}
        yield from _counted("http_request_duration_seconds_count", labels, "status", counts)
        yield from _timed("http_request_duration_seconds", labels, _SECONDS, every)
    labels = {"route": f"{namespace}_podinfo-podinfo-canary_canary-weight-of-podinfo", "type": "request"}
    yield from _counted("apisix_http_status", labels, "code", counts)
    yield from _timed("apisix_http_latency", labels, _MILLISECONDS, every)
    labels = {"service": f"podinfo-canary_{namespace}_svc_9898"}
    yield from _counted("envoy_cluster_upstream_rq", labels, "envoy_response_code", counts)
    yield from _timed("envoy_cluster_upstream_rq_time", labels, _MILLISECONDS, every)
    of_pods = {"kubernetes_namespace": namespace, "kubernetes_pod_name": "podinfo-5f7b9c6d4f-x2k4q"}
    labels = {"service": f"{namespace}-podinfo-canary-80@kubernetescrd"}
    yield from _counted("traefik_service_requests_total", labels, "code", counts)
    yield from _timed("traefik_service_request_duration_seconds", labels, _SECONDS, every)
    gloos, contours = f"{namespace}-podinfo-canaryupstream-80_{namespace}", f"{namespace}_podinfo-canary_80"
    clusters = gloos, contours, f"{namespace}/podinfo-00002"  # the last is Knative's, of a Revision
    for labels in (*({"envoy_cluster_name": name} for name in clusters), of_pods):
        yield from _counted("envoy_cluster_upstream_rq", labels, "envoy_response_code", counts)
        yield from _timed("envoy_cluster_upstream_rq_time", labels, _MILLISECONDS, every)
    for ingress, service in INGRESSES.items():
        labels = {"namespace": namespace, "ingress": ingress, "canary": f"{namespace}-{service}-canary-80"}
        yield from _counted("nginx_ingress_controller_requests", labels, "status", counts)
        yield from _timed("nginx_ingress_controller_response_duration_seconds", labels, _SECONDS, every)
        words = [one.replace("-", "_") for one in (namespace, ingress, service)]
        labels = {"route": "kube_{}__{}_canary__app_example_com____{}_canary".format(*words)}
        yield from _counted("skipper_response_duration_seconds_count", labels, "code", counts)
        yield from _timed("skipper_serve_route_duration_seconds", labels, _SECONDS, every)


def _counted(name: str, labels: Mapping[str, str], code: str, counts: Mapping[str, float]) -> Iterator[str]:
    for status, count in counts.items():
        yield _line(name, {**labels, code: status}, count)


def _timed(name: str, labels: Mapping[str, str], bounds: tuple[str, ...], count: float) -> Iterator[str]:
    """Everything took more than the first bound, and no more than the second."""
    for bound in bounds:
        yield _line(f"{name}_bucket", {**labels, "le": bound}, 0.0 if bound == bounds[0] else count)


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"{name}{{{inside}}} {value:.3f}"


@contextlib.contextmanager
def data_planes(status: str = "200") -> Iterator[str]:
    """Where they can be scraped, until the end of the block."""
    began = time.monotonic()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page(status, time.monotonic() - began).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(BrokenPipeError):  # a Prometheus that is ended does not wait for the rest
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
