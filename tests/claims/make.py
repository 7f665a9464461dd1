"""Claims made for tests."""

from __future__ import annotations

from theory.claims import Claim


def claim(**fields):
    """A claim with the fields that do not matter filled in."""
    base = {"id": "test", "title": "t", "source": "s", "statement": "x", "kind": "inequality"}
    return Claim(**{**base, **fields})
