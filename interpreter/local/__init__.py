"""A rollout on one machine: real processes, real HTTP, the same machine as in a cluster (interpreter.md §7)."""
