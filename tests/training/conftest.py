"""One torch thread in every test here: two workers of pytest share two cores."""

import pytest

from training.fit import one_thread


@pytest.fixture(autouse=True)
def single_thread():
    with one_thread():
        yield
