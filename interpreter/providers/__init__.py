"""Metric providers: one file each, one function from a rendered query to a measurement."""
