"""The claims of section 5.2 and Appendices D and E: fitting rate, contamination, separation."""

from theory.claims.ledger_5_2 import (
    appendix_e,
    fitting,
    gap,
    interpretations,
    mixture,
    monotone,
    separation,
)

CLAIMS = [*fitting.CLAIMS, *mixture.CLAIMS, *interpretations.CLAIMS, *separation.CLAIMS,
          *monotone.CLAIMS, *gap.CLAIMS, *appendix_e.CLAIMS]

__all__ = ["CLAIMS"]
