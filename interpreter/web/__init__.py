"""Decisions of people over HTTP: who they are, what they may, and what they ask of a rollout."""
