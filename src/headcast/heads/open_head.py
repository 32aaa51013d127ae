"""The head that Headcast ships: free for any use, made by `tools/build_open_head.py` from MakeHuman data."""

from functools import cache
from importlib.resources import as_file, files

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from headcast.heads._model_arrays import read_model
from headcast.heads.model import HeadModel


@cache
def open_head() -> HeadModel:
    """The open head; every call gives the same value. docs/open-head.md describes it."""
    with as_file(files("headcast.heads") / "data" / "open_head.npz") as path:
        return read_model(path)


@cache
def default_albedo() -> Float[Tensor, "height width 3"]:
    """A plain painted skin for the open head's texture atlas: linear, row 0 the top of the picture. Every call gives the same value."""
    with as_file(files("headcast.heads") / "data" / "open_head_albedo.png") as path, Image.open(path) as picture:
        srgb = torch.from_numpy(np.array(picture.convert("RGB"))).double() / 255
    curved = ((srgb + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.04045, srgb / 12.92, curved).float()
