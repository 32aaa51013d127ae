"""The open head, another person of it in FLAME's layout and basis, and the conversions between them, solved once."""

import os

import numpy as np
import pytest
from flame_schema import flame_schema, with_landmarks, write_flame_schema

from headcast.expressions import convert_expressions
from headcast.heads import open_head


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing that was solved before helps, and nothing is left behind."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def arkit():
    return open_head()


@pytest.fixture(scope="session")
def flame(tmp_path_factory, arkit):
    """Other surface, no names, no tongue, an orthogonal basis, and a jaw and eyes that only joints turn."""
    identity = 0.8 * np.random.default_rng(3).standard_normal(arkit.identity_count)
    made = flame_schema(arkit, identity)
    path = tmp_path_factory.mktemp("flame") / "flame.npz"
    write_flame_schema(made, path)
    return with_landmarks(made, path, arkit)


@pytest.fixture(scope="session")
def to_flame(arkit, flame):
    return convert_expressions(arkit, flame)


@pytest.fixture(scope="session")
def to_arkit(arkit, flame):
    return convert_expressions(flame, arkit)
