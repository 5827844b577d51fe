"""What Prometheus reads of a controller at `/metrics`.

Theory of operation. Most of it is *read* when it is asked for: the state of a rollout, the length of the queue and the
number of requests stand somewhere already, and a collector looks there (`collector`). So a series is there for as long
as its object is, and a replica that does not lead has none of rollouts. What has a duration is *written* when it
happens, into the instruments of `meters`, whose labels are words of this program and never names of objects. What is
counted of one rollout is in its `tally`, which goes with it. All but `meters` begins at nothing with each term, as
counters of Prometheus may.

`flagger` has the series of Flagger's, under its names; `rollouts` has ours of rollouts; `process` those of the
controller. `docs/reference/metrics.md` lists them all, and the tests hold it against this package.
"""
