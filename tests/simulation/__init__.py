"""The simulation suite: what the checks promise, in many thousand simulated rollouts. `python -m tests.simulation`.

| module | what it knows |
| --- | --- |
| `traffic` | setup S: ramps of an hour with a look a minute, and the counts that they see |
| `kernels` | the product's kernels over all rollouts at once; a test holds them equal to the product |
| `peers` | the tests that others use, some of them known to be bad: the harness must see that they are |
| `boundaries` | published boundaries of sequential analysis that only comparisons need |
| `whole` | rollouts through the whole judge, with the evidence through JSON between every two looks |
| `figures` | the nine acceptance figures by name, each a function from a `Plan` to rows |
| `on_counts`, `on_latencies`, `on_objectives`, `on_restarts` | those functions |
| `rows` | what a figure comes to, and what it is held to |
| `table` | rows as text, and as the table of `docs/explanation/simulation.md` |
| `plots` | the plots of `docs/explanation/analysis.md` |

A figure is a share of rollouts or a quantile of a delay. Delays are counted in requests of the canary until the abort,
infinite where there is none. Every figure has its own stream of chance, made from the seed and its name, so that each
can be run alone and comes to the same.
"""
