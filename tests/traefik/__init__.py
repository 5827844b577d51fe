"""A real Traefik for the tests."""
