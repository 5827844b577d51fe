"""A real Contour and its Envoy for the tests."""
