"""Protects what is said of a Job's manifest before it runs, and what is added to it."""

from __future__ import annotations

import textwrap

import pytest

from dsl.embedded.job_check import check
from dsl.embedded.job_manifest import MOST_S, JobProblem, read_job

SPEC = """\
backoffLimit: 0
template:
  spec:
    restartPolicy: Never
    containers: [{name: smoke, image: curl}]
"""
WHOLE = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, creationTimestamp: null}\nstatus: {}\nspec:\n" + (
    textwrap.indent(SPEC, "  ")
)


@pytest.mark.parametrize("text", [SPEC, "spec:\n" + textwrap.indent(SPEC, "  "), WHOLE, textwrap.indent(WHOLE, "    ")])
def test_a_whole_job_or_its_spec_alone(text: str) -> None:
    job = read_job(text)
    assert job.spec["backoffLimit"] == 0
    assert job.deadline_s == job.spec["activeDeadlineSeconds"] == MOST_S
    assert job.spec["ttlSecondsAfterFinished"] == 600
    (container,) = job.spec["template"]["spec"]["containers"]
    assert container == {"terminationMessagePolicy": "FallbackToLogsOnError", "name": "smoke", "image": "curl"}
    assert check(text, frozenset()) == ()


def test_null_is_as_if_it_were_not_there() -> None:
    assert read_job(f"{SPEC}activeDeadlineSeconds: null\nsuspend: null").spec.keys() == read_job(SPEC).spec.keys()


def test_what_is_said_is_left_alone() -> None:
    said = "activeDeadlineSeconds: 30\nttlSecondsAfterFinished: 0\n"
    text = SPEC.replace("image: curl", "image: curl, terminationMessagePolicy: File") + said
    job = read_job(text)
    assert (job.spec["activeDeadlineSeconds"], job.spec["ttlSecondsAfterFinished"]) == (30, 0)
    assert job.spec["template"]["spec"]["containers"][0]["terminationMessagePolicy"] == "File"


_PAIRS = zip("abcdefgh", "bcdefghi", strict=True)
BOMB = "\n".join(["a: &a [x, x, x]", *(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in _PAIRS)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there are none"),
        (f"{SPEC}---\n{SPEC}", "there are 2"),
        ("template: [", "not YAML"),
        ("hello", "no object"),
        (SPEC.replace("backoffLimit: 0", "template: {}"), "`template` stands twice"),
        (BOMB, "too large"),
        (WHOLE.replace("kind: Job", "kind: CronJob"), "it is a CronJob of batch/v1"),
        (WHOLE.replace("batch/v1", "batch/v1beta1"), "it is a Job of batch/v1beta1"),
        (WHOLE.replace("status:", "stats:"), "a Job has no `stats`"),
        (WHOLE.replace("name: a", "ownerReferences: []"), "may not have `ownerReferences`"),
        (WHOLE.replace("name: a", "labels: {version: 1.5}"), "quote what looks like a number"),
        (WHOLE.replace("name: a", "annotations: [a]"), "its annotations are not names and texts"),
        (SPEC.replace("containers:", "container:"), "no `spec.template.spec.containers`"),
        (SPEC.replace("[{name: smoke, image: curl}]", "[]"), "no `spec.template.spec.containers`"),
        ("spec: 1", "it has no `spec`"),
        (f"{SPEC}activeDeadlineSeconds: 3600", "`activeDeadlineSeconds` is 3600, and a check takes 1 to 570 seconds"),
        (f"{SPEC}activeDeadlineSeconds: true", "`activeDeadlineSeconds` is true"),
        (f"{SPEC}activeDeadlineSeconds: 0", "`activeDeadlineSeconds` is 0"),
    ],
)
def test_what_cannot_be_run(text: str, said: str) -> None:
    with pytest.raises(JobProblem) as caught:
        read_job(text)
    assert said in str(caught.value)
    (problem,) = check(text, frozenset())
    assert problem.code == "RW514"
    assert said in problem.message


def test_a_mistake_is_shown_where_it_stands_in_the_template() -> None:
    text = 'spec:\n  template: {a: "{{ service }}-{{ canary }}", a: 2}\n'
    (problem,) = check(text, frozenset())
    assert text[problem.start : problem.end] == "a"
    assert text[problem.start :].startswith("a: 2")


def test_a_namespace_is_the_rollouts_own() -> None:
    own = WHOLE.replace("name: a", 'namespace: "{{ namespace }}"')
    assert check(own, frozenset()) == ()
    (problem,) = check(WHOLE.replace("name: a", "namespace: kube-system"), frozenset())
    assert "this says `kube-system`" in problem.message


def test_a_parameter_may_stand_where_a_number_is_wanted() -> None:
    assert check(f"{SPEC}activeDeadlineSeconds: {{{{ seconds }}}}", frozenset({"seconds"})) == ()
