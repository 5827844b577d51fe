"""What the traffic provider cannot do, at the line that asks for it. The table is `dsl.capabilities`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dsl import ir, syntax
from dsl.capabilities import PROVIDERS, Asked, Capability, can_all, row_of, unfit, without_baseline
from dsl.compilation import CompiledRollout
from dsl.diagnostics import Diagnostic, Label
from dsl.findings import listed
from dsl.meaning.words import api_of
from dsl.rules.constants import field, share_text
from dsl.rules.context import Context
from dsl.rules.severities import finding
from dsl.source import Span

_RETIRED = {"osm": "archived in 2023", "smi": "archived in 2023", "appmesh": "ended by AWS in 2026"}


def check(context: Context) -> Iterator[Diagnostic]:
    for rollout in context.every(syntax.Rollout):
        for item in rollout.items:
            if isinstance(item, syntax.Traffic) and item.provider.text in PROVIDERS:
                asked = row_of(item.provider.text, {"api": api_of(item)}) or PROVIDERS[item.provider.text]
                yield from _provider(rollout, item.provider, asked)
    for compiled, program in context.rollouts:
        if program.baseline:
            yield from _baseline(context, compiled, program)
        yield from _unfit(context, compiled, program)
        row = row_of(program.traffic.provider, program.traffic.options)
        traffic = context.item(compiled.node, syntax.Traffic)
        if row is not None and traffic is not None:
            yield from _Asked(context, compiled, program, row, traffic).findings()


def _provider(rollout: syntax.Rollout, provider: syntax.Name, row: Capability) -> Iterator[Diagnostic]:
    if provider.text in _RETIRED:
        yield finding(
            "RW413",
            f"{row.title} is no longer developed: {_RETIRED[provider.text]}",
            provider.span,
            help="`gateway_api` is where most of its users went",
        )
    yield from _protocol(rollout, provider, row)


def _baseline(context: Context, compiled: CompiledRollout, program: ir.Program) -> Iterator[Diagnostic]:
    provider = program.traffic.provider
    statement, traffic = context.item(compiled.node, syntax.Baseline), context.item(compiled.node, syntax.Traffic)
    why = without_baseline(provider, program.target.kind)
    if not why or statement is None:
        return
    by_plane = PROVIDERS[provider].title if why.startswith("`") else ""
    labels = [Label(traffic.provider.span, f"{by_plane} is asked for here")] if by_plane and traffic is not None else []
    able = f", or split its traffic by {listed(can_all('baseline'), 'or')}" if by_plane else ""
    cure = f"take `baseline` away and compare with the primary (`of primary`){able}"
    yield finding("RW414", why, statement.span, labels=labels, help=cure)


def _unfit(context: Context, compiled: CompiledRollout, program: ir.Program) -> Iterator[Diagnostic]:
    """The target, its autoscaler, its scale: each refused where it stands, one after the other."""
    provider, target = program.traffic.provider, program.target
    traffic = context.item(compiled.node, syntax.Traffic)
    scale = next((i for i, one in enumerate(program.code) if isinstance(one, ir.ScaleOp)), None)
    plain = Asked(target.kind, target.api_version)
    scaler = context.item(compiled.node, syntax.Scaler)
    wishes: list[tuple[Asked, Span]] = [(plain, (context.item(compiled.node, syntax.Target) or compiled.node).span)]
    if scaler is not None:
        wishes.append((plain._replace(scaler=True), scaler.span))
    if scale is not None:
        wishes.append((plain._replace(scales=True), context.place(compiled, scale)))
    for asked, span in wishes:
        why, cure = unfit(provider, asked)
        if why:
            labels = [Label(traffic.provider.span, f"{PROVIDERS[provider].title} is asked for here")] if traffic else []
            yield finding("RW415", why, span, labels=labels, help=cure)
            return


def _protocol(rollout: syntax.Rollout, provider: syntax.Name, row: Capability) -> Iterator[Diagnostic]:
    protocol = _protocol_field(rollout)
    if protocol is not None and protocol.value is not None:
        word = _word(protocol.value)
        if word in ("grpc", "tcp") and word not in row.protocols:
            yield finding(
                "RW409",
                f"`{provider.text}` cannot split {word} traffic",
                protocol.value.span,
                labels=[Label(provider.span, f"{row.title} is asked for here")],
                help=f"{listed(n for n, r in PROVIDERS.items() if word in r.protocols and n != 'local')} can",
            )


def _protocol_field(rollout: syntax.Rollout) -> syntax.Field | None:
    for item in rollout.items:
        if isinstance(item, syntax.Service):
            return field(item.fields, "app_protocol")
    return None


def _between(share: float, step: float) -> bool:
    return abs(share / step - round(share / step)) > 1e-6


def _word(value: syntax.Expr) -> str:
    match value:
        case syntax.Ref():
            return value.segments[0].name.text
        case syntax.Word():
            return value.text
        case syntax.String():
            return value.value
        case _:
            return ""


class _Asked:
    """What one rollout asks of its provider."""

    def __init__(
        self, context: Context, compiled: CompiledRollout, program: ir.Program, row: Capability, node: syntax.Traffic
    ) -> None:
        self.context, self.compiled, self.program, self.row = context, compiled, program, row
        self.name, self.node = node.provider.text, node
        protocol = _protocol_field(compiled.node)
        self.tcp = protocol is not None and protocol.value is not None and _word(protocol.value) == "tcp"

    def findings(self) -> Iterator[Diagnostic]:
        matched = any(isinstance(one, ir.RouteOp) and one.matches for one in self.program.code)
        for index, instruction in enumerate(self.program.code):
            if isinstance(instruction, ir.RouteOp):
                place = self.context.place(self.compiled, index)
                yield from self._weight(instruction, place)
                if matched and self.row.apart and (instruction.weight or 0) % 100:
                    yield self._cannot("RW407", "have a match and give a share of the rest in one rollout", place)
                yield from self._mirror(instruction, place)
                yield from self._sticky(instruction, place)
                yield from self._matches(instruction, place)

    def _cannot(self, code: str, what: str, span: Span, wish: str = "") -> Diagnostic:
        able = listed(can_all(wish)) if wish else ""
        notes = [f"{self.row.title}: {self.row.note}"] if self.row.note else []
        return finding(
            code,
            f"`{self.name}` cannot {what}",
            span,
            labels=[Label(self.node.provider.span, f"{self.row.title} is asked for here")],
            help=f"{able} can" if able else "",
            notes=notes,
        )

    def _weight(self, route: ir.RouteOp, span: Span) -> Iterator[Diagnostic]:
        weight, row = route.weight, self.row
        if weight is None or weight in (0, 100):
            return
        if not row.weights:
            yield self._cannot("RW401", "give the canary a share of the traffic", span, "weights")
        elif row.granularity and _between(weight, row.granularity):
            smallest = share_text(row.granularity)
            diagnostic = self._cannot("RW402", f"split traffic as finely as {share_text(weight)}", span)
            yield diagnostic._replace(help=f"it takes steps of {smallest}")

    def _mirror(self, route: ir.RouteOp, span: Span) -> Iterator[Diagnostic]:
        if not route.mirror:
            return
        if self.tcp:
            yield self._cannot("RW412", "mirror tcp traffic", span)
        elif not self.row.mirror:
            yield self._cannot("RW403", "mirror requests", span, "mirror")
        elif not self.row.mirror_share and route.mirror < 100:
            yield self._cannot("RW403", "mirror a share of the requests, only all of them", span, "mirror_share")
        elif _between(route.mirror, self.row.mirror_step):
            diagnostic = self._cannot("RW403", f"mirror as fine a share as {share_text(route.mirror)}", span)
            yield diagnostic._replace(help=f"it takes steps of {share_text(self.row.mirror_step)}")

    def _sticky(self, route: ir.RouteOp, span: Span) -> Iterator[Diagnostic]:
        if route.sticky is None:
            return
        if self.tcp:
            yield self._cannot("RW412", "keep tcp clients by a cookie", span)
        elif not self.row.sticky:
            yield self._cannot("RW408", "keep users with one version by a cookie", span, "sticky")

    def _matches(self, route: ir.RouteOp, span: Span) -> Iterator[Diagnostic]:
        if not route.matches:
            return
        if self.tcp:
            yield self._cannot("RW412", "look into tcp traffic", span)
            return
        tests = [test for alternative in route.matches for test in alternative]
        statement = self.context.route_at(span)
        nodes = [test for each in statement.alternatives for test in each.tests] if statement is not None else []
        said: set[tuple[str, str]] = set()
        for position, test in enumerate(tests):
            place = nodes[position].span if len(nodes) == len(tests) else span
            if (test.kind, test.op) not in said:
                said.add((test.kind, test.op))
                yield from self._test(test, place)
        if not said or not self.row.matches:
            return
        if len(route.matches) > 1 and not self.row.several:
            yield self._cannot("RW407", "route by alternatives joined by `or`", span)
        if any(len(alternative) > 1 for alternative in route.matches) and not self.row.together:
            yield self._cannot("RW407", "route by tests joined by `and`", span)
        if self.row.one_of_each:
            yield from self._one_of_each(tests, nodes, span)
        if self.row.once:
            yield from self._once(route, nodes, span)

    def _test(self, test: ir.MatchTest, span: Span) -> Iterator[Diagnostic]:
        operators = self.row.operators(test.kind)
        if not operators:
            plural = {"query": "query parameters"}.get(test.kind, f"{test.kind}s")
            yield self._cannot("RW405", f"route requests by their {plural}", span, test.kind)
        elif test.op not in operators:
            diagnostic = self._cannot("RW406", f"route by a {test.kind} with `{test.op}`", span)
            yield diagnostic._replace(help=f"it knows {listed(sorted(operators))}")
        elif self.row.cookie_value and test.kind == "cookie" and test.value != self.row.cookie_value:
            diagnostic = self._cannot("RW406", f"route by a cookie with the value `{test.value}`", span)
            yield diagnostic._replace(help=f"the value must be `{self.row.cookie_value}`")

    def _one_of_each(self, tests: list[ir.MatchTest], nodes: list[Any], span: Span) -> Iterator[Diagnostic]:
        seen: set[str] = set()
        for position, test in enumerate(tests):
            if test.kind in seen:
                place = nodes[position].span if len(nodes) == len(tests) else span
                yield self._cannot("RW407", f"route by more than one {test.kind}", place)
                return
            seen.add(test.kind)

    def _once(self, route: ir.RouteOp, nodes: list[Any], span: Span) -> Iterator[Diagnostic]:
        alternatives = [(number, test) for number, tests in enumerate(route.matches or ()) for test in tests]
        seen: dict[tuple[int, str, str], ir.MatchTest] = {}
        for position, (number, test) in enumerate(alternatives):
            key = test.key.lower() if test.kind == "header" else test.key
            if seen.setdefault((number, test.kind, key), test) != test:
                place = nodes[position].span if len(nodes) == len(alternatives) else span
                what = {"query": "query parameter"}.get(test.kind, test.kind)
                diagnostic = self._cannot("RW407", f"test the {what} `{test.key}` twice at once", place)
                yield diagnostic._replace(help="write both tests as one regular expression, with `=~`")
                return
