"""Bounds on risks: for all functions, for held-out data, for the network that was trained.

Names are imported when first used; the modules are the reference for what each name means.
"""

from __future__ import annotations

from theory.lazy import lazy

DELTA = 0.05
"""The level of a bound where none is asked for, and that of the figures and tables."""

_HOME = {
    "theory.bounds.all_functions": (
        "ASSUMPTIONS", "RHO", "adversary_risk", "ceiling", "confidence_term", "sharp_bound",
        "theorem_1", "theorem_3"),
    "theory.bounds.base": ("INGREDIENTS", "Assumptions", "Bound"),
    "theory.bounds.statements": ("Ceiling", "SharpBound", "TheoremOne", "TheoremThree"),
    "theory.bounds.binary_kl": ("binary_kl", "kl_lower", "kl_upper"),
    "theory.bounds.held_out": ("HeldOut",),
    "theory.bounds.hoeffding": ("Hoeffding", "hoeffding_upper"),
    "theory.bounds.chernoff": ("Chernoff", "chernoff_upper"),
    "theory.bounds.clopper_pearson": ("ClopperPearson", "clopper_pearson_upper"),
    "theory.bounds.maurer_pontil": ("MaurerPontil", "maurer_pontil_upper"),
    "theory.bounds.betting": ("Betting", "betting_upper"),
    "theory.bounds.occam": ("Occam", "OccamHoeffding", "log_size_bound", "log_size_of_constant_masks",
                            "log_size_of_heads", "occam_hoeffding"),
    "theory.bounds.pac_bayes": ("PacBayes", "gibbs_upper", "kl_moment"),
    "theory.bounds.pac_bayes_kl": ("PacBayesKl",),
    "theory.bounds.pac_bayes_quadratic": ("PacBayesQuadratic",),
    "theory.bounds.pac_bayes_lambda": ("PacBayesLambda", "best_lambda"),
    "theory.bounds.pac_bayes_catoni": ("PacBayesCatoni", "pac_bayes_catoni_grid"),
    "theory.bounds.disintegrated": ("Disintegrated",),
    "theory.bounds.gaussian": ("PriorScales", "kl_gaussians", "log_ratio_gaussians"),
    "theory.bounds.lipschitz": ("RectangleConstants", "rectangle_constants"),
    "theory.bounds.contraction": ("Cellwise", "Contraction", "cellwise_complexity",
                                  "complexity_constants", "contraction_complexity", "norm_on_grid",
                                  "ramp_missing_rate"),
    "theory.bounds.table": ("BOUNDS",),
    "theory.bounds.evidence": ("Evidence",),
}
__getattr__, __all__ = lazy(__name__, _HOME)
__all__ = [*__all__, "DELTA"]
