"""What must be fast, measured. `make bench` runs all; each file can be run by itself: `python -m bench.lint_cold`."""
