"""What other programs read: JSON Schemas, and the custom resource definitions when the cluster runtime brings them.

Everything here but this text is generated from the code (`make generate`), and checked to be current (`make check`).
"""
