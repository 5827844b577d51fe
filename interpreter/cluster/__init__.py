"""The interpreter in a cluster: informers, a work queue, server-side apply, and the machine in the middle."""
