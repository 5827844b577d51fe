"""Protects imports: what they bring in, that each file is read once, and what is said of one that cannot be had."""

from __future__ import annotations

from pathlib import Path

from dsl.compiler import compile_file, compile_source
from dsl.meaning import modules
from dsl.source import Source
from tests.dsl.meaning.small import Files, codes, compiled, policy, program

SHARED = (
    'let most = 30%\nmetric errors returns ratio { prometheus "x" }\nstrategy slow { shift to most for 5m; promote }\n'
)


def test_names_of_a_file_come_in_bare_or_behind_an_alias() -> None:
    bare = policy("follow slow", checks="every 1m; require errors <= 1%", imports='import "./shared.rollout"')
    behind = policy(
        "follow s.slow", checks="every 1m; require s.errors <= 1%", imports='import "./shared.rollout" as s'
    )
    assert program(bare, shared=SHARED).metrics == program(behind, shared=SHARED).metrics
    assert program(bare, shared=SHARED).code[0].weight == 30.0  # type: ignore[union-attr]


def test_imports_are_not_passed_on() -> None:
    text = policy(checks="every 1m; require errors <= 1%", imports='import "./between.rollout"')
    (found,) = compiled(text, between='import "./shared.rollout"', shared=SHARED).diagnostics
    assert (found.code, found.span.text) == ("RW101", "errors")


def test_a_file_that_is_imported_twice_is_read_once_and_is_one() -> None:
    text = policy(
        checks="every 1m; require errors <= 1%",
        imports='import "./shared.rollout"\nimport "./shared.rollout"\nimport "./between.rollout"',
    )
    compilation = compiled(text, between='import "./shared.rollout"\nlet own = 1', shared=SHARED)
    assert not compilation.diagnostics
    assert list(compilation.modules) == ["main.rollout", "./shared.rollout", "./between.rollout"]


def test_a_name_that_two_imports_bring_is_an_error_where_it_is_used() -> None:
    text = policy(checks="every 1m; require errors <= 1%", imports='import "./a.rollout"\nimport "./b.rollout"')
    metric = 'metric errors returns ratio { prometheus "x" }'
    (found,) = compiled(text, a=metric, b=metric).diagnostics
    assert (found.code, found.span.text) == ("RW104", "errors")
    assert found.message == "`errors` may be that of `./a.rollout` or that of `./b.rollout`"
    assert [label.span.text for label in found.labels] == ['import "./a.rollout"', 'import "./b.rollout"']
    assert not compiled(
        policy(imports='import "std/http"\nimport "./a.rollout"\nimport "./b.rollout"'), a=metric, b=metric
    ).diagnostics


def test_two_metrics_of_one_name_have_two_names_in_the_program() -> None:
    metric = 'metric errors returns ratio {{ prometheus "{}" }}'
    text = policy(
        checks="every 1m; require a.errors <= 1%; require b.errors <= 1%; require errors <= 1%",
        imports='import "./a.rollout" as a\nimport "./b.rollout" as b',
        head=metric.format("own"),
    )
    metrics = program(text, a=metric.format("one"), b=metric.format("two")).metrics
    assert {name: found.queries[0].text for name, found in metrics.items()} == {
        "errors": "own",
        "errors@./a.rollout": "one",
        "errors@./b.rollout": "two",
    }


def test_a_circle_shows_its_way() -> None:
    found = compiled('import "./a.rollout"', a='import "./b.rollout"', b='import "./a.rollout"').diagnostics
    assert [one.code for one in found] == ["RW106"]
    assert found[0].message == "imports go in a circle: ./a.rollout → ./b.rollout → ./a.rollout"
    assert found[0].span.source.name == "./b.rollout"
    assert [(label.span.source.name, label.text) for label in found[0].labels] == [
        ("./a.rollout", "`./a.rollout` imports `./b.rollout`")
    ]


def test_a_broken_import_reports_in_its_own_file_and_nowhere_else() -> None:
    text = policy(checks="every 1m; require errors <= 1%", imports='import "./shared.rollout"')
    found = compiled(text, shared='metric errors returns rato { prometheus "x" }').diagnostics
    assert [(one.code, one.span.source.name) for one in found] == [("RW213", "./shared.rollout")]


def test_what_a_missing_import_may_have_brought_is_not_missed() -> None:
    text = policy("follow slow", checks="every 1m; require errors <= 1%", imports='import "./shred.rollout"')
    assert codes(text, shared=SHARED) == ["RW105"]
    behind = policy("follow s.slow", checks="every 1m; require s.errors <= 1%", imports='import "./shred.rollout" as s')
    assert codes(behind, shared=SHARED) == ["RW105"]
    assert not compiled(text).rollouts


def test_a_missing_module_of_the_library_is_asked_for() -> None:
    (found,) = compiled('import "std/htp"').diagnostics
    assert found.help == 'did you mean `"std/http"`?'
    assert found.fixes[0].edits[0].text == '"std/http"'


def test_files_are_found_beside_the_importing_one(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (tmp_path / "shared.rollout").write_text("let most = 20%\n", encoding="utf-8")
    main = folder / "main.rollout"
    main.write_text(
        policy("shift to most; hold 5m; promote", imports='import "std/http"\nimport "../shared.rollout"'), "utf-8"
    )
    compilation = compile_file(main)
    assert not compilation.has_errors
    assert compilation.rollouts[0].program.code[0].weight == 20.0  # type: ignore[union-attr]
    assert str(tmp_path / "shared.rollout") in compilation.modules


def test_only_policies_are_read(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("let most = 20%\n", encoding="utf-8")
    (tmp_path / "folder.rollout").mkdir()
    paths = ["./secret.txt", "./folder.rollout", "/dev/zero", "./main.rollout/x.rollout", "./a\\u0000.rollout"]
    source = Source(str(tmp_path / "main.rollout"), "\n".join(f'import "{path}"' for path in paths))
    found = compile_source(source, lint=False).diagnostics
    assert {one.code for one in found if one.code >= "RW1"} == {"RW105"}


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large.rollout").write_text("#" * (1 << 20) + "\n", encoding="utf-8")
    (found,) = compile_source(Source(str(tmp_path / "main.rollout"), 'import "./large.rollout"')).diagnostics[:1]
    assert (found.code, found.message) == ("RW107", "`./large.rollout` cannot be read: larger than 1 MB")


def test_the_loader_is_not_asked_for_the_library() -> None:
    loader = Files()
    compile_source(Source("main.rollout", policy()), loader, lint=False)
    assert loader.loads == []


def test_the_library_is_read_once_in_a_process() -> None:
    assert modules.standard("std/http") is modules.standard("std/http")
    assert modules.standard("std/nothing") is None
    assert modules.standard("std/../../pyproject") is None


def test_every_module_of_the_library_is_without_errors() -> None:
    for path in modules.standard_paths():
        module = modules.standard(path)
        assert module is not None
        assert not compile_source(Source(path, module.source.text), lint=False).diagnostics
