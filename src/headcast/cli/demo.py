"""`headcast demo`."""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray


def portrait() -> UInt8[ndarray, "600 512 3"]:
    """Rear Admiral Grace Hopper, official Navy portrait, public domain; Matplotlib carries it among its sample data."""
    from matplotlib import cbook
    from PIL import Image

    return np.asarray(Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB"))
