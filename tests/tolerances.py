"""One table of tolerances per dtype: relative to numbers of size about 1."""

import numpy as np

ABSOLUTE = {"float64": 1e-12, "float32": 1e-5, "bfloat16": 2e-2, "int8": 0.0, "int64": 0.0}


def close(actual, expected, dtype="float64"):
    """Whether two arrays agree to the dtype's tolerance."""
    return np.allclose(np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64),
                       rtol=ABSOLUTE[dtype], atol=ABSOLUTE[dtype])
