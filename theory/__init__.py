"""Definitions, families, bounds and claims of the theory of rectangular attention.

Names are imported when first used, so that ``import theory`` costs nothing; the modules are the
reference for what each name means.
"""

from __future__ import annotations

from theory.lazy import lazy

__version__ = "0.1.0"

_HOME = {
    "theory.rates": ("catching_rate", "missing_rate", "fitting_rate", "catching_rate_exact",
                     "missing_rate_exact", "fitting_rate_exact"),
    "theory.masks": ("signed", "binary", "support_size"),
    "theory.rectangle": ("Rectangle", "window", "soft_rectangle", "log_soft_rectangle",
                         "logit_soft_rectangle", "hard_rectangle", "grid", "attention_map",
                         "hard_mask", "image_to_grid", "grid_to_image"),
    "theory.attention": ("residual", "without_residual", "rescale", "rescale_log",
                         "gradient_terms"),
    "theory.equivariance": ("Similarity", "paper_loss", "quotient_loss", "symmetries"),
    "theory.relevance": ("relevance_level", "relevance_level_exact", "relevance_closed_form"),
    "theory.rademacher": ("rademacher_all_functions", "rademacher_grouped_exact",
                          "rademacher_constant_exact"),
    "theory.separation": ("mixture_density", "redraw_density", "total_variation",
                          "separation_parts", "separation_bounds", "optimal_accuracy"),
    "theory.injectivity": ("prop3_condition", "prop4_ratio", "log_scale_margin",
                           "binary_collisions", "find_collision"),
    "theory.families": ("AllMasks", "Rectangles", "RotatedRectangles", "Parallelograms",
                        "FiniteFamily"),
}
__getattr__, __all__ = lazy(__name__, _HOME)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
