"""What an editor waits for after a key: parse and check 300 lines in a process that is already warm.

Each round changes one number in the text, so that nothing can be answered from memory of the last one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from statistics import median, quantiles

from bench.figure import Figure, show
from bench.policies import long_policy

LINES = 300
ROUNDS = 40


def keystroke(text: str) -> float:
    """CPU milliseconds of one round."""
    from dsl.compiler import compile_source
    from dsl.source import Source

    began = time.process_time()
    compilation = compile_source(Source("editor.rollout", text))
    spent = 1000 * (time.process_time() - began)
    if compilation.has_errors or not compilation.rollouts:
        raise SystemExit("the policy that is measured must be a good one")
    return spent


def figures() -> Iterator[Figure]:
    texts = [long_policy(LINES).replace("tolerate 5", f"tolerate {number + 1}", 1) for number in range(ROUNDS)]
    keystroke(texts[0])
    times = [keystroke(text) for text in texts[1:]]
    yield Figure(f"parse and check {LINES} lines, median", median(times), "ms", limit=50)
    yield Figure(f"parse and check {LINES} lines, p95", quantiles(times, n=20)[-1], "ms")


if __name__ == "__main__":
    sys.exit(0 if show(figures()) else 1)
