"""`python -m tests.simulation`: all figures as one table; exits with 1 if one is missed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.figures import FIGURES
from tests.simulation.rows import Plan, Row
from tests.simulation.table import PAGE, missed, said, text, write

PROCESSES = 2


def run(name: str, plan: Plan) -> tuple[list[Row], float]:
    """One figure, and the seconds that it took."""
    began = time.perf_counter()
    return list(FIGURES[name](plan)), time.perf_counter() - began


def everything(names: Sequence[str], plan: Plan, processes: int) -> Iterator[tuple[str, list[Row], float]]:
    """All that was asked for, in order."""
    if processes < 2:
        yield from ((name, *run(name, plan)) for name in names)
        return
    with ProcessPoolExecutor(processes) as pool:
        for name, done in [(name, pool.submit(run, name, plan)) for name in names]:
            yield name, *done.result()


def main(arguments: Sequence[str] | None = None) -> int:
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "figures", nargs="*", metavar="FIGURE", help=f"one of {', '.join(FIGURES)}; all if none is named"
    )
    parser.add_argument("--rollouts", type=int, default=plan.rollouts, help="rollouts a cell (%(default)s)")
    parser.add_argument("--whole", type=int, default=plan.whole, help="of those, through the whole judge (%(default)s)")
    parser.add_argument("--seed", type=int, default=plan.seed, help="seed of all chance (%(default)s)")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="how many at a time (%(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write the tables into docs/explanation/{PAGE.name}")
    options = parser.parse_args(arguments)
    names = options.figures or list(FIGURES)
    if unknown := set(names) - set(FIGURES):
        parser.error(f"no figure is called {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    if options.write and options.figures:
        parser.error("--write takes all figures, or the page would lose the others")
    plan = Plan(options.rollouts, options.whole, options.seed)
    print(said(plan), flush=True)
    rows: list[Row] = []
    for name, found, seconds in everything(names, plan, options.processes):
        print(f"\n{name} ({seconds:.0f} s)\n{text(found)}", flush=True)
        rows += found
    if options.write:
        write(rows, plan)
    off = missed(rows)
    print(f"\n{sum(row.kept is not None for row in rows)} figures are held, {len(off)} missed")
    for row in off:
        print(f"missed: {row.figure}, {row.what}: {row.measured}, held to {row.promise}", file=sys.stderr)
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
