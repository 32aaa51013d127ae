"""What a data set's picture shows where, drawn from the tracked head: the parts of a face that parsing networks name, and depth."""

from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray

from headcast.export.shoot import Shot
from headcast.geometry import Mesh
from headcast.heads import HeadModel
from headcast.render.rendering import rasterize

NOTHING = 0
PARTS = MappingProxyType(
    {"skin": 1, "left_eye": 4, "right_eye": 5, "left_ear": 7, "right_ear": 8, "nose": 10, "mouth": 11, "upper_lip": 12, "lower_lip": 13, "neck": 14,
     "cloth": 16, "hair": 17}
)  # fmt: skip
"""Numbers of the parts as in CelebAMask-HQ's nineteen classes (Lee et al. 2020); left and right are the subject's."""
_EDGE_PX = 1.0
"""Softness of the edge where clothes are taken away: standard deviation."""
_FRINGE_PX = 11
"""How far around clothes the matte's faint edge is taken away with them."""
_FACE = ("skin", "nose", "mouth", "upper_lip", "lower_lip")
_MOUTH_REGIONS = ("mouth_interior", "teeth", "tongue")


@dataclass(frozen=True)
class PartMap:
    """Parts and depth of one picture."""

    parts: UInt8[ndarray, "height width"]
    depth: Float32[ndarray, "height width"]
    """Distance along the camera's axis (m); 0 where the head is not."""

    def undressed(self, shot: Shot) -> Shot:
        """The picture without what is not of the head, where the neck is cut at all: shoulders beside the neck go too, and hair below the chin."""
        if shot.above is None:
            return shot
        cloth = (self.parts == PARTS["cloth"]).astype(np.uint8)
        fringe = (cv2.dilate(cloth, np.ones((_FRINGE_PX, _FRINGE_PX), np.uint8)) > 0) & (self.parts == NOTHING)
        taken = cv2.GaussianBlur((fringe | (cloth > 0)).astype(np.float32), (0, 0), _EDGE_PX)
        return replace(shot, above=shot.above * (1 - taken))

    def mouth(self) -> Bool[ndarray, "height width"]:
        """Lips and what is between them."""
        return np.isin(self.parts, [PARTS["mouth"], PARTS["upper_lip"], PARTS["lower_lip"]])


@dataclass(frozen=True)
class FaceParts:
    """Which part every triangle of a model belongs to."""

    faces: torch.Tensor
    labels: UInt8[ndarray, "faces"]

    @classmethod
    def of(cls, model: HeadModel) -> "FaceParts":
        places = model.template[model.faces].mean(1).numpy()
        left = places[:, 0] > 0
        labels = np.full(len(model.faces), PARTS["skin"], np.uint8)

        def mark(region: str, part: str, where: Bool[ndarray, "faces"] | None = None) -> None:
            if region in model.regions:
                inside = model.face_regions(region).numpy()
                labels[inside if where is None else inside & where] = PARTS[part]

        mark("neck", "neck")
        mark("boundary", "neck")
        mark("scalp", "hair")
        mark("nose", "nose")
        for sided, part in (("ears", "ear"), ("eyeballs", "eye"), ("irises", "eye")):
            mark(sided, f"left_{part}", left)
            mark(sided, f"right_{part}", ~left)
        if "lips" in model.regions:
            middle = float(model.template[model.regions["lips"], 1].mean())
            mark("lips", "upper_lip", places[:, 1] >= middle)
            mark("lips", "lower_lip", places[:, 1] < middle)
        for region in _MOUTH_REGIONS:
            mark(region, "mouth")
        return cls(model.faces, labels)

    def seen(self, shot: Shot) -> PartMap:
        """The parts in a picture: the head's own; where the person is and the head is not, hair above the chin and cloth below it."""
        seen = rasterize(Mesh(shot.vertices, self.faces), shot.camera)
        face = seen.face.numpy()
        parts = np.where(face >= 0, self.labels[face], np.uint8(NOTHING)).astype(np.uint8)
        _fill_mouth(parts)
        person, beside = shot.matte > 0.5, parts == NOTHING
        rows = np.flatnonzero(np.isin(parts, [PARTS[name] for name in _FACE]).any(1))
        chin = int(rows[-1]) if len(rows) else len(parts)
        parts[person & beside] = PARTS["cloth"]
        parts[:chin][(person & beside)[:chin]] = PARTS["hair"]
        if shot.above is not None:
            parts[person & (shot.above < 0.5)] = PARTS["cloth"]
            parts[~person & (shot.above < 0.5)] = NOTHING
        return PartMap(parts, seen.depth.numpy())


def _fill_mouth(parts: UInt8[ndarray, "height width"]) -> None:
    """What the lips enclose is the mouth, also for models that have nothing in there."""
    lips = np.isin(parts, [PARTS["upper_lip"], PARTS["lower_lip"], PARTS["mouth"]])
    outlines, _ = cv2.findContours(lips.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(parts.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0
    parts[filled & ~lips] = PARTS["mouth"]
