"""Every policy in the documentation is one that works: it lints clean, and its tests pass."""

from __future__ import annotations

import pytest

from dsl.compiler import compile_source
from dsl.diagnostics import Severity
from dsl.source import Source
from interpreter.simulator.verdict import run_test
from tests.docs.policies import Policy, policies


def test_there_are_policies_in_the_pages() -> None:
    assert len(policies()) > 15


@pytest.mark.parametrize("policy", policies(), ids=str)
def test_a_policy_in_the_pages_lints_clean(policy: Policy) -> None:
    compilation = compile_source(Source(str(policy), policy.text))
    findings = [d for d in compilation.diagnostics if d.severity is not Severity.HINT]
    assert [f"{d.code} line {d.span.begin.line}: {d.message}" for d in findings] == []
    assert compilation.rollouts


@pytest.mark.parametrize("policy", [policy for policy in policies() if '\ntest "' in policy.text], ids=str)
def test_the_tests_of_a_policy_in_the_pages_pass(policy: Policy) -> None:
    compilation = compile_source(Source(str(policy), policy.text))
    programs = {found.program.name: found.program for found in compilation.rollouts}
    tested = [run_test(programs[test.rollout], test, test.metrics) for test in compilation.tests]
    assert tested
    assert [one.test.title for one in tested if not one.passed] == []
