"""Workload kinds: how a primary is derived from a target, and how its readiness is read. Pure, one file a kind."""
