"""One FLAME of made-up numbers that tests of exports share and do not change."""

import pytest
from synthetic_models import flame_arrays, write_flame_pickle

from headcast.heads.flame import load_flame, load_flame_root


@pytest.fixture(scope="session")
def flame(tmp_path_factory):
    """Its arrays, the model, and what the reader folded into it."""
    path = tmp_path_factory.mktemp("flame") / "flame2020.pkl"
    arrays = flame_arrays()
    write_flame_pickle(path, arrays)
    return arrays, load_flame(path), load_flame_root(path)
