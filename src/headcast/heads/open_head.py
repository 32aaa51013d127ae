"""The head that Headcast ships: free for any use, made by `tools/build_open_head.py` from MakeHuman data."""

from functools import cache
from importlib.resources import as_file, files

from headcast.heads._model_arrays import read_model
from headcast.heads.model import HeadModel


@cache
def open_head() -> HeadModel:
    """The open head; every call gives the same value."""
    with as_file(files("headcast.heads") / "data" / "open_head.npz") as path:
        return read_model(path)
