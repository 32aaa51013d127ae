"""What the tracked head shows at each pixel of a window: labels of its parts, and its normals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Int32, UInt8
from numpy import ndarray

from headcast.heads import HeadModel
from headcast.parse.labels import LABEL_OF, of_labels
from headcast.perceive import Window
from headcast.perceive.topology import CHIN
from headcast.render import image_positions, rasterize_arrays
from headcast.track.surface import incidences, surface_normals
from headcast.track.track import Track

SCALP = 255
"""Marks, among rendered labels, the skin under the hair; no pixel of a result has it."""
_CHUNK = 32
_SHIFT = 4
"""Binary digits after the point in the corners of polygons."""
_PARTS = (
    ("left_brow", (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)),
    ("right_brow", (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)),
    ("left_eye", (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)),
    ("right_eye", (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)),
    ("mouth", (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)),
    ("upper_lip", (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78)),
    ("lower_lip", (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95, 78)),
)
"""Outlines in MediaPipe's landmarks, drawn in this order: the tracked person's own landmarks place them better than regions of a mesh."""
_REDRAWN = ("mouth", "left_eye", "right_eye")
_BROWS = (*_PARTS[0][1], *_PARTS[1][1])


@dataclass(frozen=True)
class Layers:
    """The tracked head in a window of one frame."""

    labels: UInt8[ndarray, "height width"]
    """Number of the part that the head shows, `SCALP` on the scalp, 0 where there is no head."""
    normals: Float32[ndarray, "height width 3"]
    """Unit normals in camera space (+X right, +Y down, +Z forward); zeros where there is no head."""
    px_per_m: float
    """Pixels of the window per metre, at the head."""
    chin_px: Float32[ndarray, "2"]
    down: Float32[ndarray, "2"]
    """Unit direction from the chin towards the shoulders."""
    brows_m: float
    """How far above the chin the brows are."""
    neck_px: Float32[ndarray, "2"]
    """The middle of the neck."""


@dataclass(frozen=True)
class PosedHead:
    """A tracked head in world space, metres."""

    frame_idx: int
    vertices: Float32[ndarray, "vertices 3"]
    landmarks: Float32[ndarray, "478 3"]
    down: Float32[ndarray, "3"]
    """Unit direction towards the shoulders: the head's own below its neck's joint."""


class LayerPainter:
    """Draws the layers of a track's frames."""

    def __init__(self, track: Track, model: HeadModel):
        self._track, self._model = track, model
        self._faces = model.faces.numpy().astype(np.int32)
        self._labels = vertex_labels(model)
        incident_face, _, incident_start = incidences(self._faces, len(model.template))
        self._around = self._faces, incident_start, incident_face
        self._neck = model.regions["neck"].numpy()

    def heads(self, frames: Sequence[int]) -> Iterator[PosedHead]:
        """The heads of these frames in order, posed a few at a time."""
        head, track = self._track.head(self._model), self._track
        for first in range(0, len(frames), _CHUNK):
            chosen = torch.tensor(list(frames[first : first + _CHUNK]))
            vertices = head.posed(track.pose(chosen)).vertices.numpy()
            landmarks = track.landmarks(self._model, chosen).numpy()
            down = -track.world_from_head[chosen].rotation[..., 1].numpy()
            yield from (PosedHead(*parts) for parts in zip(chosen.tolist(), vertices, landmarks, down))

    def layers(self, head: PosedHead, window: Window, size: tuple[int, int]) -> Layers:
        """The layers inside a window of the source frame, drawn at `size` (width, height)."""
        view = self._track.camera_at(head.frame_idx).cropped(float(window.left), float(window.top), (window.height, window.width)).resized(size[::-1])
        camera_from_world = view.camera_from_world.rotation.numpy()
        positions = image_positions(torch.from_numpy(head.vertices), view).numpy()
        face, weights, _ = rasterize_arrays(positions, self._faces, *view.size)
        vertex_normals = surface_normals(head.vertices, *self._around) @ camera_from_world.T
        seen = np.nonzero(face >= 0)
        corners, shares = self._faces[face[seen]], weights[seen]
        labels, normals = np.zeros(face.shape, np.uint8), np.zeros((*face.shape, 3), np.float32)
        labels[seen] = self._labels[np.take_along_axis(corners, shares.argmax(-1)[:, None], -1)[:, 0]]
        shown = np.einsum("pck,pc->pk", vertex_normals[corners], shares)
        normals[seen] = shown / np.maximum(np.linalg.norm(shown, axis=-1, keepdims=True), 1e-6)
        points = image_positions(torch.from_numpy(head.landmarks), view).numpy()[:, :2]
        _draw_parts(labels, points)
        px_per_m = float(view.focal_px.mean()) / float(np.median(positions[:, 2]))
        down = (camera_from_world @ head.down)[:2]
        down = (down / max(float(np.linalg.norm(down)), 1e-6)).astype(np.float32)
        brows_m = float((points[CHIN] - points[list(_BROWS)].mean(0)) @ down) / px_per_m
        return Layers(labels, normals, px_per_m, points[CHIN], down, brows_m, positions[self._neck, :2].mean(0))


def vertex_labels(model: HeadModel) -> UInt8[ndarray, "vertices"]:
    """The label of each vertex of a head model by its regions; later regions win."""
    labels = np.full(len(model.template), LABEL_OF["skin"], np.uint8)
    left = model.template[:, 0].numpy() > 0

    def mark(region: str, number: int | Int32[ndarray, "vertices"]) -> None:
        mask = model.regions[region].numpy()
        labels[mask] = np.broadcast_to(number, len(labels))[mask]

    mark("scalp", SCALP)
    mark("neck", LABEL_OF["neck"])
    mark("boundary", LABEL_OF["neck"])
    mark("ears", np.where(left, LABEL_OF["left_ear"], LABEL_OF["right_ear"]).astype(np.int32))
    for region in ("face", "forehead", "eyelids", "lips"):
        mark(region, LABEL_OF["skin"])
    mark("nose", LABEL_OF["nose"])
    for region in ("mouth_interior", "teeth", "tongue"):
        mark(region, LABEL_OF["mouth"])
    mark("eyeballs", np.where(left, LABEL_OF["left_eye"], LABEL_OF["right_eye"]).astype(np.int32))
    return labels


def _draw_parts(labels: UInt8[ndarray, "height width"], points: Float32[ndarray, "478 2"]) -> None:
    """Replaces eyes and mouth of the mesh by what the landmarks outline, in place, where the face is seen."""
    face = of_labels(labels, ("skin", "nose", *_REDRAWN)) > 0
    labels[of_labels(labels, _REDRAWN) > 0] = LABEL_OF["skin"]
    for name, outline in _PARTS:
        inside = np.zeros(labels.shape, np.uint8)
        # A pixel's centre lies half a pixel from its corner; OpenCV counts from centres.
        corners = np.round((points[list(outline)] - 0.5) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(inside, [corners], 1, shift=_SHIFT)
        labels[(inside > 0) & face] = LABEL_OF[name]
