"""Policies out of thin air, for hypothesis: right in syntax, and laid out as nobody would."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Text = SearchStrategy[str]

NAMES = st.sampled_from(["a", "slow", "http.latency", "target", "steps", "success_rate", "x1"])
SIMPLE = st.sampled_from(["a", "slow", "target", "step", "in_use"])
VALUES = st.sampled_from(["1", "0.50", "99%", "1h30m", "500ms", '"s"', '"""raw # no comment"""', "true", "false"])
COMPARE = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
SPACE = st.sampled_from([" ", "  ", "\t"])
FREE = st.sampled_from([" ", "", "\n", " # in\n", "\n\n# own\n", "\n   "])
"""What may stand inside of brackets, where lines may break."""
BREAK = st.sampled_from(["\n", ";", " ; ", "\n\n\n", " # c\n", "\n# own\n", "\r\n", "\n\n\n## doc\n"])


def expressions(depth: int = 2) -> Text:
    """Sums, calls, lists in parentheses, to some depth."""
    if not depth:
        return st.one_of(VALUES, NAMES)
    inner = expressions(depth - 1)
    return st.one_of(
        inner,
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner),
        st.builds("({}{}{})".format, FREE, inner, FREE),
        st.builds("{}({}{},{}{})".format, NAMES, FREE, inner, FREE, inner),
        st.builds("f({}x:{}{}{},)".format, FREE, FREE, inner, FREE),
        st.builds("-({})".format, inner),
    )


def conditions(depth: int = 1) -> Text:
    plain = st.builds("{}{}{}{}{}".format, expressions(1), SPACE, COMPARE, SPACE, expressions(1))
    over = st.builds("{} over 30s".format, plain)
    within = st.builds("{} in 1 .. -(2)".format, expressions(1))
    if not depth:
        return st.one_of(plain, over, within)
    inner = conditions(depth - 1)
    joined = st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or"]), inner)
    return st.one_of(inner, joined, st.builds("not ({}{}{})".format, FREE, inner, FREE))


def values() -> Text:
    """What may stand behind the name of a field."""
    items = st.builds("[{}{},{}{}{}]".format, FREE, expressions(1), FREE, expressions(1), FREE)
    maps = st.builds('{{{}a:{},{}"b-c" : {}{}}}'.format, FREE, expressions(0), FREE, items, FREE)
    return st.one_of(expressions(1), items, maps, st.sampled_from(["http-web", "2 .. 10", "[]", "{}", "[ ]"]))


@st.composite
def blocks(draw: st.DrawFn, item: Text) -> str:
    """Items in braces, parted as they may be."""
    text = "{" + draw(st.sampled_from(["", " ", "\n", " # opened\n", "\n\n"]))
    for one in draw(st.lists(item, max_size=4)):
        text += one + draw(BREAK)
    return text + draw(st.sampled_from(["}", " }", "\n}"]))


def steps(depth: int = 1) -> Text:
    plain = st.one_of(
        st.sampled_from(["promote", "hold", "hold 5 checks with slo", "mirror off", "wait until w", "run a.b(c: 1)"]),
        st.builds("shift{}to {} for 5m".format, SPACE, expressions(0)),
        st.builds("ramp 1% to {} by 2% every 3 checks".format, expressions(0)),
        st.sampled_from(['route to canary when header "x" exists and cookie "y" == "z"', 'rollback "no"']),
    )
    if not depth:
        return plain
    inner = blocks(steps(depth - 1))
    return st.one_of(
        plain,
        st.builds("if {} {} else {}".format, conditions(0), inner, inner),
        st.builds("for w in [1%,{}2%] {}".format, FREE, inner),
        st.builds("repeat 3{}{}".format, SPACE, inner),
    )


def fields() -> Text:
    return st.builds("{}{}{}".format, SIMPLE, SPACE, values())


def checks() -> Text:
    return st.one_of(
        st.sampled_from(["every  1m", "tolerate 2 failures in 10", "abort when gate g opens", "call x", "warm_up 2m"]),
        st.builds("require {}".format, conditions()),
        st.builds("abort  if {}".format, conditions()),
    )


def rollout_items() -> Text:
    return st.one_of(
        st.sampled_from(["target deployment/a-b", "baseline", "only in w", "skip analysis", "track configs false"]),
        st.builds("traffic istio {}".format, blocks(fields())),
        st.builds("service {}".format, blocks(fields())),
        st.builds("analysis {}".format, blocks(checks())),
        st.builds("steps {}".format, blocks(steps())),
        st.builds("on rollback {}".format, blocks(st.sampled_from(["run x", 'notify y "z"']))),
    )


def declarations() -> Text:
    return st.one_of(
        st.builds("let a ={}{}".format, SPACE, st.one_of(expressions(), st.sampled_from(["[1,\n2]", "{ }"]))),
        st.builds("metric m(a = 1,{}b) returns count {}".format, FREE, blocks(fields())),
        st.builds("metric m returns percent = {}".format, conditions()),
        st.builds("analysis s {}".format, blocks(checks())),
        st.builds("strategy s {}".format, blocks(steps(2))),
        st.builds("rollout a-b in c-d {}".format, blocks(rollout_items())),
        st.builds("gate g {}".format, blocks(fields())),
    )


@st.composite
def policies(draw: st.DrawFn) -> str:
    """A whole file."""
    text = draw(st.sampled_from(["", "# top\n", "language 1\n", "\n\n", "\ufeff"]))
    for one in draw(st.lists(declarations(), max_size=4)):
        text += one + draw(BREAK)
    return text
