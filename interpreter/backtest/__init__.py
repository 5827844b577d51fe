"""A policy's checks against what a Prometheus still knows of the past.

How it works. `moments` reads a span of time. `checkable` leaves out the checks that no Prometheus can answer. `ranges`
fetches a query over a range, `history` answers the machine's questions of any moment from such ranges. `replay` drives
the machine through the span in virtual time (`interpreter.simulator`): once, with both arms as they were, or again and
again where there was no canary, whose part is then drawn out of the primary's by `thinning`. `tally` counts what came
of these many, `telling` says it.
"""
