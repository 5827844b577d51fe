"""Judgement: from the answers of metric providers to the verdict of a check. Pure, standard library only.

| module | what it knows |
| --- | --- |
| `judge` | one whole check: its questions, its verdict, its evidence |
| `evaluate` | expressions and conditions over answers, three-valued |
| `statistical` | checks that keep evidence between looks |
| `sequential` | their kernels: tests that may be looked at after every check |
| `guard` | whether requests are split as the routing says |
| `kayenta`, `mann_whitney` | Kayenta's judge, value for value |
| `histogram` | quantiles from cumulative buckets |
| `show` | quantities as people read them |
"""
