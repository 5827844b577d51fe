"""Protects the help for a name of the standard library whose import is missing, and that the fix mends it."""

from __future__ import annotations

import pytest

from dsl.compiler import compile_source
from dsl.diagnostics import Diagnostic
from dsl.findings import Findings
from dsl.fixes import apply
from dsl.meaning.modules import StandardLoader, read_modules
from dsl.meaning.scope import Space
from dsl.meaning.standard import NAMES
from dsl.source import Source
from tests.dsl.meaning.small import compiled, policy


def unknown(text: str) -> Diagnostic:
    (found,) = compiled(text).diagnostics
    assert found.code == "RW101"
    return found


def mended(text: str) -> str:
    """The text after the fix, which leaves no error."""
    source = Source("main.rollout", text)
    (found,) = compile_source(source, lint=False).diagnostics
    (fix,) = found.fixes
    assert not fix.safe
    after = apply(source, [fix]).text
    assert compiled(after).diagnostics == ()
    return after


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        (policy(imports=""), '`success_rate` is in `std/http`: add `import "std/http"`'),
        (
            policy(imports="", checks="every 1m; require sucess_rate >= 99%"),
            'did you mean `success_rate` of `std/http`? then add `import "std/http"`',
        ),
        (policy("follow canary"), '`canary` is in `std/strategies`: add `import "std/strategies"`'),
        (
            policy("follow canry"),
            'did you mean `canary` of `std/strategies`? then add `import "std/strategies"`',
        ),
        (
            policy(imports="", checks="include compared(interval: 1m)"),
            '`compared` is in `std/analyses`: add `import "std/analyses"`',
        ),
    ],
)
def test_the_help_names_the_import_that_is_missing(text: str, help_: str) -> None:
    assert unknown(text).help == help_
    mended(text)


def test_a_name_of_the_file_itself_is_nearer() -> None:
    head = "metric sucess_rates returns percent = 100%"
    found = unknown(policy(imports="", head=head, checks="every 1m; require sucess_rate >= 99%"))
    assert found.help == "did you mean `sucess_rates`?"


def test_what_is_imported_by_an_alias_is_not_imported_again() -> None:
    found = unknown(policy(imports='import "std/http" as http'))
    assert found.help == "did you mean `http.success_rate`?"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'import "std/http"\n\n'),
        ("\ufeff", '\ufeffimport "std/http"\n\n'),
        ("# the shop\n", 'import "std/http"\n\n# the shop\n'),
        ("language 1\n", 'language 1\n\nimport "std/http"\n'),
        ("# the shop\nlanguage 1  # the first\n", '# the shop\nlanguage 1  # the first\n\nimport "std/http"\n'),
        ("language 1; let a = 1\n", 'language 1\n\nimport "std/http"; let a = 1\n'),
        (
            '# the shop\nimport "std/strategies" as s\n',
            '# the shop\nimport "std/http"\nimport "std/strategies" as s\n',
        ),
    ],
)
def test_the_place_of_the_import(before: str, after: str) -> None:
    rest = policy(imports="")
    assert mended(before + rest) == after + rest


@pytest.mark.parametrize("space", NAMES)
def test_the_names_are_those_of_the_library(space: Space) -> None:
    path, names = NAMES[space]
    modules = read_modules(Source("main", f'import "{path}"\n'), StandardLoader(), Findings())
    (imported,) = modules.main.imports
    assert imported.module is not None
    assert set(imported.module.names[space]) == set(names)
