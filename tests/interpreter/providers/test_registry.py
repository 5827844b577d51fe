"""What can be asked can be written and is written about: registry, language and the page of the reference agree."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from dsl.flagger.templates import MetricTemplate, read_metric_template
from dsl.meaning.words import QUERY_PROVIDERS
from dsl.parser.tree import METRIC_PROVIDERS
from interpreter.cluster.names import API_VERSION
from interpreter.cluster.resources.metric_template import ProviderType
from interpreter.providers.provider import ProviderError, RenderedQuery
from interpreter.providers.registry import PROVIDERS, Providers

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metric-providers.md"
ROWS = dict(re.findall(r"^\| `(\w+)` \|(.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
QUERIES = {
    "elasticsearch": "web/_search",
    "honeycomb": '{"calculations": [{"op": "COUNT"}]}',
    "sentry": "o/events?field=f",
}
WITH_KEYS = ("datadog", "dynatrace", "honeycomb", "newrelic", "sentry", "splunk")


def test_the_language_has_a_word_for_each_and_the_page_a_row() -> None:
    assert set(QUERY_PROVIDERS) == METRIC_PROVIDERS
    assert set(PROVIDERS) <= set(QUERY_PROVIDERS)
    assert set(PROVIDERS) <= set(ROWS) <= set(QUERY_PROVIDERS)


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_each_can_be_named_by_a_template_of_ours(name: str) -> None:
    assert name in get_args(ProviderType)
    spec = {"provider": {"type": name}, "query": "up"}
    manifest = {"apiVersion": API_VERSION, "kind": "MetricTemplate", "metadata": {"namespace": "a", "name": "b"}}
    template = read_metric_template({**manifest, "spec": spec})
    assert isinstance(template, MetricTemplate), template
    assert template.provider == name


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_each_is_called_by_its_name_and_its_server_is_on_the_page(name: str) -> None:
    provider = Providers()[name]
    assert provider.name == name
    server = inspect.signature(type(provider)).parameters.get("server")
    if server is not None and server.default:
        assert f"`{server.default}`" in ROWS[name]


@pytest.mark.parametrize("name", WITH_KEYS)
async def test_the_keys_that_are_missed_are_on_the_page(name: str) -> None:
    query = RenderedQuery(QUERIES.get(name, "up"), 1_795_413_067_184, 60_000, "http://127.0.0.1:1", secret={"x": "y"})
    with pytest.raises(ProviderError) as caught:
        await Providers()[name].measure(query)
    keys = re.findall(r"`(\w+)`", str(caught.value))
    assert keys
    assert [key for key in keys if f"`{key}`" not in ROWS[name]] == []
