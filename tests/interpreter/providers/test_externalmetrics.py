"""External metrics, and Keptn's, through the cluster's own API: quantities, no data, refusals, and nothing left behind.

The API server is one that speaks its wire format; `Api` is the interpreter's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from kubernetes.aio.client import ApiClient, Configuration

from interpreter.cluster.api import Api
from interpreter.cluster.asking import asking
from interpreter.providers.externalmetrics import API, ExternalMetrics
from interpreter.providers.keptn import Keptn
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble, guarded
from tests.interpreter.providers.wire import Asked, Said, Wire, wired

QUERY = RenderedQuery("shop/queue?labelSelector=app%3Dcart,tier%20in%20(a,b)", at_ms=1_000, window_ms=60_000)
ANALYSIS = QUERY._replace(text="analysis/shop/slo/2m/workload=Cart;version=v2")
ANALYSES = "/apis/metrics.keptn.sh/v1beta1/namespaces/shop/analyses"


@pytest.fixture
async def server() -> AsyncIterator[Wire]:
    async with wired() as made:
        yield made


@pytest.fixture
async def api(server: Wire) -> AsyncIterator[Api]:
    async with Api(ApiClient(Configuration(host=server.url))) as made:
        yield made


def items(*values: object) -> Said:
    return Said({"items": [{"metricName": "queue", "metricLabels": {"n": str(i)}, "value": v} for i, v in
                           enumerate(values)]}, headers={"Content-Type": "application/json"})  # fmt: skip


async def trouble(provider: ExternalMetrics | Keptn, query: RenderedQuery) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await guarded(provider, query, timeout=5, first_delay=0.001)
    await provider.close()
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1500m", 1.5), ("7", 7.0), ("2k", 2000.0), ("1Ki", 1024.0), ("3e2", 300.0), ("-250u", -0.00025), ("0", 0.0)],
)
async def test_quantities_are_numbers(server: Wire, api: Api, text: str, value: float) -> None:
    server.answers = [items(text)]
    got = await ExternalMetrics(asking(api)).measure(QUERY)
    assert got == Measurement((Sample({"n": "0"}, value),))
    asked = server.asked[0]
    assert asked.path == f"{API}/namespaces/shop/queue"
    assert asked.query == {"labelSelector": "app=cart,tier in (a,b)"}


async def test_no_item_is_no_data_and_several_are_several(server: Wire, api: Api) -> None:
    server.answers = [items(), items("1", "2")]
    external = ExternalMetrics(asking(api))
    assert await external.measure(QUERY) == Measurement(())
    assert len((await external.measure(QUERY)).samples) == 2


async def test_a_server_of_its_own_is_asked_with_the_secrets_token(server: Wire) -> None:
    server.answers = [items("1")]
    external = ExternalMetrics()
    await external.measure(QUERY._replace(text="queue", server=server.url + "/", secret={"token": "s3cret-token"}))
    await external.close()
    assert server.asked[0].path == f"{API}/namespaces/default/queue"
    assert server.asked[0].headers["authorization"] == "Bearer s3cret-token"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Said({"kind": "Status", "message": "no such"}, 404), Trouble.BAD_QUERY, "or no adapter"),
        (Said({"kind": "Status", "message": "may not"}, 403), Trouble.AUTH, "may not"),
        (Said({"kind": "Status", "message": "broken"}, 500), Trouble.TRANSIENT, "broken"),
        (items("many"), Trouble.BAD_QUERY, "no quantity"),
        (Said({"kind": "Table"}), Trouble.BAD_QUERY, "no list of external metrics"),
    ],
)
async def test_what_is_wrong_is_named(server: Wire, api: Api, answer: Said, kind: Trouble, words: str) -> None:
    server.answers = [answer]
    error = await trouble(ExternalMetrics(asking(api)), QUERY)
    assert error.trouble is kind
    assert words in str(error)


@pytest.mark.parametrize("text", ["", "shop/", "shop/queue?label=a", "a/b/c", "apis/../x y"])
async def test_a_query_of_another_form_is_refused_unasked(server: Wire, api: Api, text: str) -> None:
    error = await trouble(ExternalMetrics(asking(api)), QUERY._replace(text=text))
    assert "namespace/metric?labelSelector" in str(error)
    assert not server.asked


async def test_without_a_cluster_both_say_so() -> None:
    assert "none here" in str(await trouble(ExternalMetrics(), QUERY))
    assert "none here" in str(await trouble(Keptn(), ANALYSIS))


async def test_a_keptn_metric_is_read_and_none_yet_is_no_data(server: Wire, api: Api) -> None:
    server.answers = [Said({"status": {"value": "0.25"}}), Said({"status": {"value": ""}}), Said({})]
    keptn, query = Keptn(asking(api)), QUERY._replace(text="keptnmetric/shop/errors/1m")
    assert await keptn.measure(query) == Measurement((Sample({}, 0.25),))
    assert server.asked[0].path == "/apis/metrics.keptn.sh/v1beta1/namespaces/shop/keptnmetrics/errors"
    assert await keptn.measure(query) == Measurement(())
    assert await keptn.measure(query) == Measurement(())


async def test_a_keptn_metric_that_failed_or_is_no_number_is_an_error(server: Wire, api: Api) -> None:
    query = QUERY._replace(text="keptnmetric/shop/errors")
    server.answers = [Said({"status": {"errMsg": "no provider"}})]
    assert "no provider" in str(await trouble(Keptn(asking(api)), query))
    server.answers = [Said({"status": {"value": "up"}})]
    assert "no number" in str(await trouble(Keptn(asking(api)), query))


class Analyses:
    """Keeps analyses as the API server does; `states` are what is read of one, in order."""

    def __init__(self, server: Wire, *states: dict[str, object]) -> None:
        self.states = list(states)
        self.made: list[dict[str, object]] = []
        self.deleted = 0
        server.by_path = {ANALYSES: self.create, f"{ANALYSES}/slo-x": self.one}

    def create(self, asked: Asked) -> Said:
        self.made.append(asked.json)
        return Said({**asked.json, "metadata": {"name": "slo-x"}}, 201)

    def one(self, asked: Asked) -> Said:
        if asked.method == "DELETE":
            self.deleted += 1
            return Said({})
        return Said({"status": self.states.pop(0) if len(self.states) > 1 else self.states[0]})


@pytest.mark.parametrize(("passed", "value"), [(True, 1.0), (False, 0.0)])
async def test_an_analysis_is_made_waited_for_and_taken_away(
    server: Wire, api: Api, passed: bool, value: float
) -> None:
    analyses = Analyses(server, {}, {"state": "Progressing"}, {"state": "Completed", "pass": passed})
    keptn = Keptn(asking(api), poll=0.001)
    assert await keptn.measure(ANALYSIS) == Measurement((Sample({}, value),))
    await keptn.close()
    assert analyses.deleted == 1
    assert analyses.made[0]["spec"] == {
        "timeframe": {"recent": "2m"},
        "args": {"workload": "Cart", "version": "v2"},
        "analysisDefinition": {"name": "slo", "namespace": "shop"},
    }


async def test_an_analysis_that_does_not_end_is_taken_away_in_time(server: Wire, api: Api) -> None:
    analyses = Analyses(server, {"state": "Progressing"})
    keptn = Keptn(asking(api), poll=0.001)
    with pytest.raises(ProviderError, match="gave no answer within"):
        await guarded(keptn, ANALYSIS._replace(text="analysis/shop/slo"), timeout=0.2)
    await keptn.close()
    await asyncio.sleep(0)
    assert analyses.deleted == 1
    assert analyses.made[0]["spec"]["timeframe"] == {"recent": "60s"}  # type: ignore[index]


@pytest.mark.parametrize("text", ["", "metric/a/b", "analysis/shop", "analysis/shop/slo/1m/x"])
async def test_keptn_refuses_other_queries(server: Wire, api: Api, text: str) -> None:
    assert "the query of Keptn is" in str(await trouble(Keptn(asking(api)), QUERY._replace(text=text)))
    assert not server.asked
