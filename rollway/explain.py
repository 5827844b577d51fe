"""`rollway explain`: the page of a code, with what the linter really says of its wrong example."""

from collections.abc import Iterator
from typing import Annotated

from dsl import catalogue
from dsl.catalogue import Page
from dsl.diagnostics import Diagnostic
from rollway.exit_codes import ExitCode
from rollway.parameters import Argument
from rollway.terminal import Stop, put


def complete_codes(begun: str) -> list[str]:
    """The codes that begin so."""
    return [code for code in catalogue.codes() if code.startswith(begun.upper())]


def command(
    code: Annotated[
        str | None, Argument("A code such as `RW203`; without one, all are listed.", "CODE", complete_codes)
    ] = None,
) -> int:
    """Explain a code, with an example before and after.

    Without a code, every code is listed with what it means.

    \b
    Examples:
      rollway explain RW203
      rollway explain
    """
    if code is None:
        put("".join(f"{line}\n" for line in _list()))
        return ExitCode.FINE
    found = catalogue.page(code.upper())
    if found is None:
        raise Stop(_unknown(code))
    put(explain(found))
    return ExitCode.FINE


def explain(page: Page) -> str:
    """A page for reading: what it is about, what is wrong, what is said of it, and what is right."""
    parts = [
        f"{page.code} · {page.name} · {page.severity}",
        page.summary[:1].upper() + page.summary[1:] + ".",
        page.prose,
        "Wrong:",
        _indented(page.wrong),
        f"What `rollway {'import flagger' if page.about_flagger else 'lint'}` says:",
        _indented(said_of(page)),
        "Right:",
        _indented(page.right),
        page.url,
    ]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def said_of(page: Page) -> str:
    """What the linter says of the wrong example, really."""
    from dsl.render.text import render

    return render([diagnostic for diagnostic in findings(page, page.wrong) if diagnostic.code == page.code])


def findings(page: Page, example: str) -> list[Diagnostic]:
    """All that is found in an example of a page, by the command that the page is about."""
    from rollway import import_, lint
    from rollway.inputs import decode

    if page.about_flagger:
        imported = import_.look([decode("example.yaml", example.encode(page.encoding))], "istio")
        return list(imported.diagnostics)
    return list(lint.look(decode("example.rollout", example.encode(page.encoding))).diagnostics)


def _list() -> Iterator[str]:
    topic = ""
    for code in catalogue.codes():
        page = catalogue.page(code)
        if page is None:
            continue
        if catalogue.topic(code) != topic:
            yield from ([""] if topic else [])
            topic = catalogue.topic(code)
            yield f"{code[:3]}xx {topic}"
        yield f"  {code}  {page.severity:<7}  {page.summary}"


def _unknown(code: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(code.upper(), catalogue.codes(), n=2, cutoff=0.75)
    names = " or ".join(f"`{one}`" for one in near)
    hint = f"did you mean {names}?" if near else "`rollway explain` lists them all"
    return f"there is no code `{code}`; {hint}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.rstrip().split("\n"))
