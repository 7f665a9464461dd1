"""What the keys of every simulation's cells must be."""

from __future__ import annotations

import json


def check_keys(made, kind, seed):
    """Keys differ and hold the whole configuration; cells survive JSON and name their kind."""
    assert len({c["key"] for c in made}) == len(made)
    for cell in made:
        assert json.loads(json.dumps(cell)) == cell and cell["kind"] == f"{kind}-{cell['part']}"
        assert cell["key"].endswith(f"seed={seed}")
        assert all(f"{name}=" in cell["key"] for name in set(cell) - {"kind", "key", "part", "seed"})
