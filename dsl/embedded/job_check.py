"""The manifest of a Job in a policy, read when it is linted, so that no rollout stands still for a typing error.

A query is a template. It is rendered with sample values, read as the interpreter will read it, and what is wrong is
taken back to the place in the template.
"""

from __future__ import annotations

from functools import lru_cache

from dsl.embedded.jinja_check import QUERY_VARIABLES, Problem, render
from dsl.embedded.job_manifest import JobProblem, read_job

_CODE = "RW514"
_HELP = "write it as YAML: `kubectl create job smoke --image example --dry-run=client -o yaml` prints one"


@lru_cache(maxsize=1024)
def check(text: str, parameters: frozenset[str]) -> tuple[Problem, ...]:
    """What is wrong with the manifest in a well-formed template."""
    rendered = render(text, {**dict.fromkeys(QUERY_VARIABLES, "checkout"), **dict.fromkeys(parameters, "1")})
    if rendered is None:
        return ()
    try:
        job = read_job(rendered.text)
    except JobProblem as problem:
        said = f"this is no Job that can be run: {problem}"
        if problem.start == problem.end or not rendered.origin:
            return (Problem(_CODE, 0, len(text), said, _HELP),)
        last = len(rendered.origin) - 1
        start = rendered.origin[min(problem.start, last)]
        return (Problem(_CODE, start, max(start + 1, rendered.origin[min(problem.end, last)]), said, _HELP),)
    if job.namespace not in ("", "checkout"):
        said = f"the Job is made in the rollout's own namespace, and this says `{job.namespace[:60]}`"
        return (Problem(_CODE, 0, len(text), said, "leave `namespace` out"),)
    return ()
