"""The claims of Appendix F: when is the attention module injective?"""

from theory.claims.ledger_f import binary, determinant, log_scale, soft

CLAIMS = [*binary.CLAIMS, *soft.CLAIMS, *log_scale.CLAIMS, *determinant.CLAIMS]

__all__ = ["CLAIMS"]
