"""The pages: those made from the code can be made, hold what they should, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from dsl import catalogue
from dsl.capabilities import PROVIDERS
from dsl.meaning import blocks
from interpreter.cluster.resources import DEFINITIONS
from rollway.commands import COMMANDS
from tests.docs.policies import ROOT
from tests.interpreter.traffic.ledger import planes

LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_has_its_section(hooks: ModuleType) -> None:
    page = hooks.commands()
    assert [name for name in COMMANDS if f"## rollway {name}\n" not in page] == []


def test_every_code_has_its_section(hooks: ModuleType) -> None:
    page = hooks.diagnostics()
    assert [code for code in catalogue.codes() if f"## {code}: " not in page] == []


def test_every_traffic_provider_has_its_row(hooks: ModuleType) -> None:
    page = hooks.traffic()
    assert [name for name in PROVIDERS if f"| `{name}` |" not in page] == []


def test_the_data_planes_of_the_tests_are_named(hooks: ModuleType) -> None:
    section = hooks.traffic().partition("## Tried on")[2].partition("\n## ")[0]
    assert re.search(r"\| `traefik` \| Traefik \d+\.\d+\.\d+ \|", section)
    assert all(f"| `{provider}` | {one.title} |" in section for provider, there in planes().items() for one in there)
    others = section.rpartition("Not so for")[2]
    assert "`istio`" in others
    assert "`traefik`" not in others


@pytest.mark.parametrize("block", ["WEBHOOK", "GATE", "CHANNEL", "SERVICE", "READY", "SCALER", "STICKY", "TEMPLATE"])
def test_every_setting_of_a_block_is_in_the_reference(block: str) -> None:
    page = (ROOT / "docs" / "reference" / "language.md").read_text(encoding="utf-8")
    section = page.partition("## Settings of blocks")[2].partition("\n## ")[0]
    told = {setting for code in re.findall(r"`([^`]+)`", section) for setting in code.split()[:1]}
    assert set(getattr(blocks, block)) <= told


def test_every_field_of_a_custom_resource_has_its_row(hooks: ModuleType) -> None:
    page = hooks.resources()
    for one in DEFINITIONS:
        section = page.partition(f"### {one.kind} spec\n")[2].partition(f"### {one.kind} columns\n")[0]
        fields = [*one.spec.model_fields.values(), *(one.status.model_fields.values() if one.status else ())]
        assert [field.alias for field in fields if not re.search(rf"\| `{field.alias}(\[\])?` \|", section)] == []


def test_everything_in_the_standard_library_says_what_it_is(hooks: ModuleType) -> None:
    page = hooks.standard_library()
    for name in ("success_rate", "error_rate", "latency", "request_rate", "requests", "duration", "canary"):
        assert re.search(rf"### {name}\n\n```text\n.*\n```\n\n\w", page), name


def test_links_lead_somewhere(hooks: ModuleType) -> None:
    made = set(hooks.pages())
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            assert path.exists() or str(path.relative_to(ROOT / "docs")) in made, f"{page.name} -> {target}"


def test_every_page_is_in_the_table_of_contents(hooks: ModuleType) -> None:
    contents = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    written = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert [page for page in sorted(written | set(hooks.pages())) if page not in contents] == []
