"""What a pixel can show, by name and number: the 19 labels of CelebAMask-HQ in the order of its usual networks, with a colour for each."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

LABELS = (
    "background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "glasses", "left_ear", "right_ear", "earring",
    "nose", "mouth", "upper_lip", "lower_lip", "neck", "necklace", "cloth", "hair", "hat",
)  # fmt: skip
"""Name of every label number. Left and right are the subject's; "mouth" is what lies between open lips."""

LABEL_OF = {name: number for number, name in enumerate(LABELS)}
"""Number of every label name."""

NETWORK_ONLY = ("glasses", "earring", "necklace", "hat")
"""Labels that only a network can give: the tracked head and colours cannot tell them from what they lie on."""

PALETTE = np.array(
    [
        (0, 0, 0), (224, 172, 140), (120, 72, 40), (96, 56, 30), (70, 160, 255), (40, 110, 230), (160, 160, 40), (250, 140, 90), (230, 110, 70),
        (255, 220, 60), (200, 130, 100), (110, 10, 30), (220, 60, 90), (190, 30, 70), (170, 120, 170), (255, 190, 0), (60, 150, 90),
        (110, 70, 180), (0, 190, 190),
    ],
    np.uint8,
)  # fmt: skip
"""sRGB colour of every label, as the label pictures carry it."""


def of_labels(labels: UInt8[ndarray, "height width"], names: Sequence[str]) -> UInt8[ndarray, "height width"]:
    """1 where a pixel has one of these labels, 0 elsewhere."""
    table = np.zeros(256, np.uint8)
    table[[LABEL_OF[name] for name in names]] = 1
    return table[labels]


def colored(labels: UInt8[ndarray, "height width"]) -> UInt8[ndarray, "height width 3"]:
    """The labels as an sRGB picture."""
    return PALETTE[labels]
