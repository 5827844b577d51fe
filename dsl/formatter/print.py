"""A layout to lines. See `dsl/formatter/` for the rules of the canonical form.

A statement is tried on one line first. If it does not fit, or if something in it must be broken, its brackets are
broken one after the other, blocks first and then from the last to the first, until every line fits.
"""

from __future__ import annotations

from collections.abc import Iterator

from dsl.formatter.align import Printed, aligned
from dsl.formatter.layout import Block, Entry, Group, Item, Line, Part, Remark, Statement, Verbatim, Word
from dsl.parser.tree_values import common_margin

WIDTH = 100
INDENT = "  "

_SENTENCES = {"STEPS", "STRATEGY", "IF", "REPEAT", "FOR", "ON", "TEST", "GROUP", "JUDGEMENT"}
"""Blocks behind these words hold sentences, which are not set in columns."""

_TIGHT_BEFORE = {"COMMA", "COLON", "DOT", "UPTO"}
_TIGHT_AFTER = {"DOT", "UPTO"}
_OPERANDS = {"NAME", "KEBAB", "NUMBER", "PERCENT", "DURATION", "CLOCK", "STRING", "RAW_STRING", "TRUE", "FALSE"}


def print_file(block: Block) -> str:
    """The whole text."""
    lines = list(_entries(block, "", columns=False, top=True))
    return "\n".join(lines) + "\n" if lines else ""


# --- blocks -----------------------------------------------------------------------------------------------------


def _entries(block: Block, margin: str, *, columns: bool, top: bool = False) -> Iterator[str]:
    printed = [_entry(entry, margin, columns) for entry in block.entries]
    yield from aligned(_with_air(printed) if top else printed, margin, braces=columns or top, values=columns)


def _entry(entry: Entry, margin: str, columns: bool) -> Printed:
    match entry:
        case Statement():
            return _printed(entry, _statement(entry.parts, margin, columns), margin)
        case Line():
            return Printed([margin + entry.text], "", entry.gap)
        case Verbatim():
            return Printed(entry.text.split("\n"), "", entry.gap)


def _with_air(printed: list[Printed]) -> list[Printed]:
    """At the top of a file an empty line stands on both sides of a declaration of several lines."""
    spaced: list[Printed] = []
    last = -1  # the last declaration
    for entry in printed:
        if entry.is_statement and last >= 0:
            apart = any(one.gap for one in [*spaced[last + 1 :], entry])
            if not apart and (len(entry.lines) > 1 or len(spaced[last].lines) > 1):
                first = last + 1
                if first < len(spaced):
                    spaced[first] = spaced[first]._replace(gap=True)
                else:
                    entry = entry._replace(gap=True)
        if entry.is_statement:
            last = len(spaced)
        spaced.append(entry)
    return spaced


def _printed(entry: Statement, lines: list[str], margin: str) -> Printed:
    first, *rest = entry.parts
    phrase = isinstance(first, Word) and first.kind in _PHRASES and isinstance(rest[0] if rest else None, Word)
    if isinstance(first, Word) and first.kind == "LET":  # a sentence, in whatever block it stands
        return Printed(lines, entry.behind, entry.gap, lines[0].strip(), False)
    head = " ".join(part.text for part in entry.parts[: 1 + phrase] if isinstance(part, Word))
    last, brace = entry.parts[-1], -1
    if isinstance(last, Block) and len(lines) == 1 and len(entry.parts) > 2:
        brace = len(lines[0]) - len(_flat(last, margin))
    return Printed(lines, entry.behind, entry.gap, head, not phrase, brace)


_PHRASES = {"ABORT", "ONLY", "AFTER", "SKIP", "ON", "APPLIES", "TRACK", "FOR"}
"""Statements that begin with two words."""


# --- statements -------------------------------------------------------------------------------------------------


def _statement(parts: list[Part], margin: str, columns: bool) -> list[str]:
    forced = {index for index, part in enumerate(parts) if _must_break(part)}
    optional = [index for index, part in enumerate(parts) if _may_break(part) and index not in forced]
    optional.sort(key=lambda index: (not isinstance(parts[index], Block), -index))
    if any(isinstance(parts[index], Block) for index in forced):
        forced |= {index for index in optional if isinstance(parts[index], Block)}
        optional = [index for index in optional if index not in forced]
    lines = _broken(parts, forced, margin, columns=columns)
    while optional and any(len(line) > WIDTH for line in lines[:1] + lines[-1:]):
        first = optional.pop(0)
        forced.add(first)
        if isinstance(parts[first], Block):
            forced |= {index for index in optional if isinstance(parts[index], Block)}
            optional = [index for index in optional if index not in forced]
        lines = _broken(parts, forced, margin, columns=columns)
    return lines


def _broken(parts: list[Part], broken: set[int], margin: str, *, columns: bool) -> list[str]:
    """The lines of some parts of which these are broken."""
    lines = [margin]
    workload = isinstance(parts[0], Word) and parts[0].kind in ("TARGET", "SCALER") if parts else False
    for index, part in enumerate(parts):
        before = parts[index - 1] if index else None
        space = " " if before is not None and _spaced(parts, index, workload) else ""
        if isinstance(before, Remark):
            lines.append(margin + INDENT)
            space = ""
        if isinstance(part, Remark):
            lines[-1] += "  " + part.text
        elif index in broken and isinstance(part, Block):
            lines[-1] += space + "{" + (f"  {part.opened}" if part.opened else "")
            lines += _entries(part, margin + INDENT, columns=_in_columns(parts, columns))
            lines.append(margin + "}")
        elif index in broken and isinstance(part, Group):
            lines[-1] += space + part.opener + (f"  {part.opened}" if part.opened else "")
            lines += _items(part, margin + INDENT, columns)
            lines.append(margin + part.closer)
        else:
            first, *rest = _flat(part, margin).split("\n")
            lines[-1] += space + first
            lines += rest
    return lines


def _in_columns(parts: list[Part], columns: bool) -> bool:
    """Whether the statements of a block are set in columns: not those of steps, and of what stands in steps."""
    kinds = [part.kind for part in parts[:2] if isinstance(part, Word)]
    kind = "JUDGEMENT" if "JUDGEMENT" in kinds else kinds[0] if kinds else ""
    return columns if kind == "FOR" else kind not in _SENTENCES


def _items(group: Group, margin: str, columns: bool) -> Iterator[str]:
    for item in group.items:
        yield from (margin + text for text in item.above)
        lines = _item(item, margin, columns)
        if group.call or item is not group.items[-1]:
            lines[-1] += ","
        if item.behind:
            lines[-1] += "  " + item.behind
        yield from lines
    yield from (margin + text for text in group.last)


def _item(item: Item, margin: str, columns: bool) -> list[str]:
    return _statement(item.parts, margin, columns)


# --- on one line ------------------------------------------------------------------------------------------------


def _must_break(part: Part) -> bool:
    match part:
        case Block():
            return bool(part.entries or part.opened) and not part.flat
        case Group():
            inner = any(_remarked(item) or any(map(_must_break, item.parts)) for item in part.items)
            tall = any(isinstance(p, Word) and "\n" in p.text for item in part.items for p in item.parts)
            return bool(part.opened or part.last) or inner or tall or (part.broken and part.call and bool(part.items))
        case _:
            return False


def _may_break(part: Part) -> bool:
    return isinstance(part, Block | Group) and bool(part.entries if isinstance(part, Block) else part.items)


def _remarked(item: Item) -> bool:
    return bool(item.above or item.behind) or any(isinstance(part, Remark) for part in item.parts)


def _flat(part: Part, margin: str) -> str:
    match part:
        case Word():
            return _reindented(part.text, margin) if part.kind == "RAW_STRING" else part.text
        case Remark():
            return part.text
        case Group():
            inside = ", ".join(_flat_parts(item.parts, margin) for item in part.items)
            space = " " if part.opener == "{" and inside else ""
            return f"{part.opener}{space}{inside}{space}{part.closer}"
        case Block():
            inside = "; ".join(_flat_parts(e.parts, margin) for e in part.entries if isinstance(e, Statement))
            return f"{{ {inside} }}" if inside else "{}"


def _flat_parts(parts: list[Part], margin: str) -> str:
    return "\n".join(_broken(parts, set(), margin, columns=False))[len(margin) :]


def _reindented(text: str, margin: str) -> str:
    '''A `"""` string over several lines, its text one step further in than its statement.'''
    text = text.replace("\r\n", "\n")
    lines = text[3:-3].split("\n")
    if len(lines) < 3 or lines[0].strip() or lines[-1].strip():
        return text
    same = common_margin(lines[1:])
    body = [margin + INDENT + line[len(same) :] if line.strip() else "" for line in lines[1:-1]]
    return "\n".join(['"""', *body, margin + '"""'])


def _spaced(parts: list[Part], index: int, workload: bool) -> bool:
    """Whether a space stands before a part."""
    before, part = parts[index - 1], parts[index]
    if isinstance(part, Word) and part.kind in _TIGHT_BEFORE:
        return False
    if isinstance(before, Word):
        if before.kind in _TIGHT_AFTER or (workload and "SLASH" in (before.kind, getattr(part, "kind", ""))):
            return False
        if before.kind == "MINUS" and not _ends_operand(parts, index - 2):
            return False
    if isinstance(part, Word):
        return not (workload and part.kind == "SLASH")
    return not (isinstance(part, Group) and part.opener == "(" and part.call)


def _ends_operand(parts: list[Part], index: int) -> bool:
    """Whether a value ends with this part, so that a `-` behind it subtracts."""
    if index < 0:
        return False
    part = parts[index]
    return part.kind in _OPERANDS if isinstance(part, Word) else isinstance(part, Group)
