"""The PAC-Bayes bounds by name, as formulas and as objects, for the tests that ask all of them alike."""

from functools import partial

from theory.bounds.pac_bayes_catoni import PacBayesCatoni, pac_bayes_catoni, pac_bayes_catoni_grid
from theory.bounds.pac_bayes_kl import PacBayesKl, pac_bayes_kl
from theory.bounds.pac_bayes_lambda import PacBayesLambda, pac_bayes_lambda
from theory.bounds.pac_bayes_quadratic import PacBayesQuadratic, pac_bayes_quadratic

FORMULAS = {
    "kl": pac_bayes_kl, "quadratic": pac_bayes_quadratic, "lambda": pac_bayes_lambda,
    "catoni": partial(pac_bayes_catoni, parameter=1.0), "grid": pac_bayes_catoni_grid,
}
OBJECTS = {"kl": PacBayesKl, "quadratic": PacBayesQuadratic, "lambda": PacBayesLambda, "grid": PacBayesCatoni}
