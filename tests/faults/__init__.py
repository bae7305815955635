"""Faults of a running platform. A package, so that pytest stops that platform at its end."""
