"""Judgement: from the answers of metric providers to the verdict of a check. Pure, standard library only.

| module | what it knows |
| --- | --- |
| `judge` | one whole check: its questions, its verdict, its evidence; a branch's condition |
| `evaluate`, `leaves`, `readings` | expressions and conditions over answers, three-valued |
| `statistical`, `evidence` | checks that keep evidence between looks, and how they share one budget of wrong aborts |
| `rates`, `slowness`, `series` | those checks, on counts, on histograms, on plain numbers |
| `sequential` | their kernels: tests that may be looked at after every check |
| `dispersion` | errors in bursts: what windows before this one say of them |
| `confidence` | between what bounds a share lies, at all looks at once |
| `guard` | whether requests are split as the routing says |
| `kayenta`, `mann_whitney` | Kayenta's judge, value for value |
| `scoring` | a judgement: many metrics, one score |
| `histogram` | quantiles from cumulative buckets |
| `show` | quantities as people read them |
| `memory` | what was compiled once |
"""
