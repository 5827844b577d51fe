"""Traffic providers: one file each, pure, listed in `interpreter.traffic.registry`."""
