"""Turns `rollout.lark` into `tables.json`: `python -m grammar.build`, or `--check` to see whether it is current.

Lark reads the grammar, builds the LALR(1) automaton and finds its conflicts. What it found is written down as plain
data, which `dsl/parser/tokens.py` and `dsl/parser/` run without Lark: importing Lark and building the automaton would
cost more than everything else that `rollway lint` does. The numbering follows from the grammar alone, so that the file
is the same on every machine.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grammar import GRAMMAR, TABLES, fingerprint

if TYPE_CHECKING:
    from lark import Lark
    from lark.grammar import Rule

START = "file"
LAYOUT = ("SPACE", "COMMENT")


def load_lark(grammar: str, **options: Any) -> Lark:
    """Lark's own parser of the grammar. The tests use it too, as the judge of ours."""
    from lark import Lark  # noqa: PLC0415 - only this needs it

    return Lark(grammar, parser="lalr", lexer="contextual", start=START, maybe_placeholders=True, **options)


def build(grammar: str, *, strict: bool = False) -> dict[str, Any]:
    """The tables of a grammar, as they are written to the file."""
    lark = load_lark(grammar, strict=strict)
    rules = sorted(lark.rules, key=_rule_key)
    return {
        "about": "made by `python -m grammar.build` from rollout.lark; do not edit",
        "grammar": fingerprint(grammar),
        **_terminals(lark),
        "kept": sorted({symbol.name for rule in rules for symbol in rule.expansion if _is_kept(symbol)}),
        "rules": [_describe(rule) for rule in rules],
        **_automaton(lark, rules),
    }


def _rule_key(rule: Rule) -> tuple[str, str, str]:
    return (rule.origin.name, " ".join(symbol.name for symbol in rule.expansion), rule.alias or "")


# --- the lexer's part -------------------------------------------------------------------------------------------


def _terminals(lark: Lark) -> dict[str, Any]:
    patterns, keywords, marks = {}, {}, {}
    name = re.compile(lark.get_terminal("NAME").pattern.to_regexp())
    for terminal in sorted(lark.terminals, key=lambda t: t.name):
        if terminal.pattern.type == "re":
            patterns[terminal.name] = terminal.pattern.to_regexp()
        elif name.fullmatch(terminal.pattern.value):
            keywords[terminal.pattern.value] = terminal.name
        else:
            marks[terminal.pattern.value] = terminal.name
    return {"patterns": patterns, "keywords": keywords, "marks": marks}


# --- the rules --------------------------------------------------------------------------------------------------


def _describe(rule: Rule) -> list[Any]:
    """`[origin, length, node, recipe]`.

    `node` is what the rule becomes: "" for an inlined helper, None where the one child passes through. The recipe
    lists the children to keep: an index, `[index]` for one whose own children are spliced in, None for an optional
    part that is not there.
    """
    recipe = _recipe(rule)
    node: str | None = rule.alias or rule.options.template_source or rule.origin.name
    if rule.origin.name.startswith("_"):
        node = ""
    elif rule.options.expand1 and not rule.alias:
        if len(recipe) != 1 or not isinstance(recipe[0], int):
            raise ValueError(f"{rule}: a `?` rule without `->` must have exactly one child")
        node = None
    return [rule.origin.name, len(rule.expansion), node, recipe]


def _is_kept(symbol: Any) -> bool:
    return bool(symbol.is_term and not symbol.filter_out)


def _recipe(rule: Rule) -> list[Any]:
    gaps = _gaps(rule)
    recipe: list[Any] = []
    for index, symbol in enumerate(rule.expansion):
        recipe += [None] * gaps[index]
        if symbol.is_term and not _is_kept(symbol):
            continue
        inlined = not symbol.is_term and symbol.name.startswith("_")
        recipe.append([index] if inlined else index)
    return recipe + [None] * gaps[-1]


def _gaps(rule: Rule) -> list[int]:
    """How many absent optional parts stand before each symbol, and at the end."""
    empty = rule.options.empty_indices
    if not empty:
        return [0] * (len(rule.expansion) + 1)
    return [len(run) for run in "".join("1" if is_gap else "0" for is_gap in empty).split("0")]


# --- the automaton ----------------------------------------------------------------------------------------------


def _automaton(lark: Lark, rules: list[Rule]) -> dict[str, Any]:
    """States by number: `rows` are the different rows, `states[i]` says which row of actions and of gotos i has.

    An action is the state to shift to, or `-1 - rule` to reduce.
    """
    table: Any = lark.parser.parser._parse_table
    order = _numbering(table)
    rule_numbers = {rule: -1 - number for number, rule in enumerate(rules)}
    symbols = sorted({name for row in table.states.values() for name in row})
    symbol_numbers = {name: number for number, name in enumerate(symbols)}
    rows: dict[tuple[int, ...], int] = {}
    states = []
    for state in order:
        row: list[int] = []
        for name, (_, target) in sorted(table.states[state].items()):
            row += [symbol_numbers[name], rule_numbers[target] if target in rule_numbers else order[target]]
        states.append(rows.setdefault(tuple(row), len(rows)))
    return {
        "symbols": symbols,
        "rows": [list(row) for row in rows],
        "states": states,
        "start": order[table.start_states[START]],
        "end": order[table.end_states[START]],
    }


def _numbering(table: Any) -> dict[Any, int]:
    """States in the order in which they are reached when the symbols are taken by name."""
    order: dict[Any, int] = {}
    queue = [table.start_states[START]]
    while queue:
        state = queue.pop(0)
        if state in order:
            continue
        order[state] = len(order)
        for _, (action, target) in sorted(table.states[state].items(), key=lambda item: item[0]):
            if str(action) == "Shift":
                queue.append(target)
    return order


# --- the file ---------------------------------------------------------------------------------------------------


def render(tables: dict[str, Any]) -> str:
    """As JSON with one table entry a line, so that a change of the grammar gives a readable difference."""
    parts = []
    for key, value in tables.items():
        if isinstance(value, list) and value and isinstance(value[0], list):
            body = ",\n".join(json.dumps(item, separators=(",", ":")) for item in value)
            parts.append(f"{json.dumps(key)}: [\n{body}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Writes the file; with `--check`, only says whether that would change it."""
    text = render(build(Path(GRAMMAR).read_text(encoding="utf-8")))
    path = Path(TABLES)
    if "--check" in arguments:
        current = path.exists() and path.read_text(encoding="utf-8") == text
        print(
            "grammar/tables.json is current" if current else "grammar/tables.json is stale: run python -m grammar.build"
        )
        return 0 if current else 1
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
