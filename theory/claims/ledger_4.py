"""All claims of section 4 and of the appendices A, B and G."""

from __future__ import annotations

from theory.claims import (
    ledger_4_equivariance,
    ledger_4_follow,
    ledger_4_gradient,
    ledger_4_grid,
    ledger_4_heads,
    ledger_4_level,
    ledger_4_module,
    ledger_4_window,
)
from theory.claims.model import Claim

CLAIMS: list[Claim] = [
    *ledger_4_window.CLAIMS,
    *ledger_4_level.CLAIMS,
    *ledger_4_grid.CLAIMS,
    *ledger_4_module.CLAIMS,
    *ledger_4_heads.CLAIMS,
    *ledger_4_follow.CLAIMS,
    *ledger_4_equivariance.CLAIMS,
    *ledger_4_gradient.CLAIMS,
]
