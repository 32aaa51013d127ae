"""What does not change from frame to frame: the head model as the tracker needs it, and a person's shape, looks and camera."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float

from headcast.geometry import vertex_normals
from headcast.heads import HeadModel
from headcast.track.config import Sigmas
from headcast.track.points import PointBasis, Skeleton, Unknowns
from headcast.track.rig import Rig
from headcast.track.surface import Surface

# MediaPipe's numbering: upper and lower point of pairs along the inner lips and along both eyelids.
_LIPS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318))
_RIGHT_LIDS = ((159, 145), (158, 153), (160, 144), (157, 154), (161, 163))
_LEFT_LIDS = ((386, 374), (385, 380), (387, 373), (384, 381), (388, 390))
_PAIRS = (*_LIPS, *_RIGHT_LIDS, *_LEFT_LIDS)
EYELIDS = {"eyeBlinkLeft": np.array(_LEFT_LIDS), "eyeBlinkRight": np.array(_RIGHT_LIDS)}
"""Upper and lower landmarks of the lids that each blink moves."""
_IRISES = ((468, 33, 133), (473, 362, 263))
RELATIVE = np.array([*((upper, lower, lower) for upper, lower in _PAIRS), *_IRISES])
"""Landmarks that are known better against others than by themselves, each with the two whose middle it is measured from: openings of lips and
eyelids, irises between the corners of the eyes."""
RELATIVE_NOISE = np.repeat([2.5, 1.0, 3.0], [len(_LIPS), len(_RIGHT_LIDS) + len(_LEFT_LIDS), len(_IRISES)])
"""Noise of each, in units of `Sigmas.relative`. Lips that are rolled in or pressed are seen open, and irises are off by the same all clip long; only
the lids of a blink are seen better than colours can."""
OUTER_EYE_CORNERS = (33, 263)
_OVAL_LEFT = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377)
_OVAL_RIGHT = (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
FACE_OVAL = np.array([*_OVAL_LEFT, *_OVAL_RIGHT])
_EYELIDS = (
    *(33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    *(263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
_LIP_EDGES = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
)
_TIMES_NOISE = (
    (range(468), 2.0),
    (FACE_OVAL, 3.0),
    (_LIP_EDGES, 1.0),
    (_EYELIDS, 0.5),
    (range(468, 478), 0.35),
)
"""How far MediaPipe puts each part of a face off, in units of `Sigmas.landmark`; later entries win. It sees edges: rims of eyes, irises and lips.
Brows, nose, cheeks and the oval are guessed from those. In the proportions found on six rendered people: 1.7 % of the distance of the outer eye
corners on eyelids, 1 % on irises, 3 % on lips, 4 % on brows and nose, 7 % on the oval."""


def _detector_noise() -> Float[np.ndarray, "landmarks"]:
    noise = np.empty(478)
    for part, times in _TIMES_NOISE:
        noise[np.array(part)] = times
    return noise


DETECTOR_NOISE = _detector_noise()
"""The same for each of the 478 landmarks."""


@dataclass(frozen=True)
class Prior:
    """A Gaussian (and for one-sided expressions exponential) prior on a frame's unknowns, about rest."""

    precision: Float[np.ndarray, "unknowns"]
    slope: Float[np.ndarray, "unknowns"]
    """Cost per unit, for expressions that cannot be negative."""
    lower: Float[np.ndarray, "unknowns"]
    upper: Float[np.ndarray, "unknowns"]

    @classmethod
    def of(cls, model: HeadModel, unknowns: Unknowns, sigmas: Sigmas) -> "Prior":
        precision = np.zeros(unknowns.count)
        slope = np.zeros(unknowns.count)
        lower = np.full(unknowns.count, -np.inf)
        upper = np.full(unknowns.count, np.inf)
        driven = set(unknowns.driver_joint.tolist())
        widths = {"neck": sigmas.neck_deg, "jaw": sigmas.jaw_deg}
        for place, joint in enumerate(unknowns.joint_idx):
            name = model.joint_names[joint]
            width = sigmas.driven_joint_deg if joint in driven else widths.get(name, sigmas.eye_deg)
            precision[6 + place] = 1 / np.radians(width) ** 2
        lower[unknowns.expression] = model.expression_lower.numpy()
        upper[unknowns.expression] = model.expression_upper.numpy()
        precision[unknowns.expression] = 1 / sigmas.expression**2
        one_sided = np.zeros(unknowns.count, bool)
        one_sided[unknowns.expression] = model.expression_lower.numpy() == 0
        slope[one_sided] = 1 / sigmas.activation
        return cls(precision, slope, lower, upper)


@dataclass(frozen=True)
class TrackedModel:
    """A head model cut to what tracking touches."""

    model: HeadModel
    surface: Surface
    landmarks: PointBasis
    landmark_sigma: Float[np.ndarray, "landmarks"]
    """How far the model's landmark definitions are from the detector's, metres."""
    landmark_normals: Float[np.ndarray, "landmarks 3"]
    """Outward, of the mean head."""
    unknowns: Unknowns
    prior: Prior

    @classmethod
    def of(cls, model: HeadModel, sigmas: Sigmas) -> "TrackedModel":
        unknowns = Unknowns.of(model)
        landmarks = PointBasis.of_landmarks(model, "mediapipe_478")
        spread = model.landmarks["mediapipe_478"].sigma
        sigma = np.full(len(landmarks.template), 0.001, np.float32) if spread is None else spread.numpy().astype(np.float32)
        normals = vertex_normals(model.template, model.faces)
        at_landmarks = model.landmarks["mediapipe_478"].points(normals, model.faces).numpy()
        at_landmarks /= np.maximum(np.linalg.norm(at_landmarks, axis=1, keepdims=True), 1e-6)
        return cls(model, Surface.of(model), landmarks, sigma, at_landmarks, unknowns, Prior.of(model, unknowns, sigmas))


@dataclass(frozen=True)
class Person:
    """Shared unknowns of a clip."""

    tracked: TrackedModel
    identity: Float[np.ndarray, "identity"]
    rig: Rig
    light: Float[np.ndarray, "9 3"]
    """In world space; of the clip that is looked at."""
    landmark_offsets: Float[np.ndarray, "landmarks 3"]
    """Metres, at rest."""
    texture: Float[np.ndarray, "height width 4"] | None = None
    """Albedo in gamma space and how sure it is; None before it was painted."""
    offsets: Float[np.ndarray, "vertices 3"] | None = None
    """What the skin adds to the identity at rest (m, head space), of all of the model's vertices; None before it was solved."""
    color_sigma: float = 0.035
    """Standard deviation of picture against model, gamma space; measured when the texture is painted."""
    light_follows: bool = False
    """Whether the light moves with a camera that moves, as that of a lamp on it does, and stays with the room otherwise."""
    gain_sigma: float | None = None
    """How far the exposure and white balance of single views stray (natural logarithm, per channel of linear light); None where they do not."""
    fixed: frozenset[str] = frozenset()
    """Names of those values above that were given and stay as they are."""
    lights: Float[np.ndarray, "clips 9 3"] | None = None
    """Of each clip, where several are solved together."""
    camera: int = 0
    """Of the rig: the one that is looked through."""
    camera_pose: int = 0

    def changed(self, **values) -> "Person":
        """A copy with other values."""
        return replace(self, **values)

    def lit(self, lights: Float[np.ndarray, "clips 9 3"]) -> "Person":
        """The same in other light, of each clip."""
        return replace(self, light=lights[self.rig.clip(self.camera)], lights=lights if len(lights) > 1 else None)

    @property
    def all_lights(self) -> Float[np.ndarray, "clips 9 3"]:
        return self.light[None] if self.lights is None else self.lights

    def through(self, camera: int, frame_idx: int) -> "Person":
        """The same, looked at through one camera as it stands in a frame; what was worked out of the shape is kept."""
        pose = frame_idx if self.rig.pose_count > 1 else 0
        if (camera, pose) == (self.camera, self.camera_pose):
            return self
        light = self.light if self.lights is None else self.lights[self.rig.clip(camera)]
        seen = replace(self, camera=camera, camera_pose=pose, light=light)
        seen.__dict__.update(skeleton=self.skeleton, rest=self.rest, landmark_rest=self.landmark_rest)
        return seen

    @property
    def focal_px(self) -> Float[np.ndarray, "2"]:
        """Of the source pictures."""
        return self.rig.focal_px[self.camera]

    @property
    def center_px(self) -> Float[np.ndarray, "2"]:
        return self.rig.center_px[self.camera]

    @property
    def light_from_camera(self) -> Float[np.ndarray, "3 3"]:
        """Rotation to the axes that the light is given in: the world's, as the camera stands, or stood first where its light goes along."""
        return self.rig.world_rotation @ self.rig.rotation[self.camera, 0 if self.light_follows else self.camera_pose].T

    @cached_property
    def skeleton(self) -> Skeleton:
        return Skeleton.of(self.tracked.model, self.identity)

    @cached_property
    def rest(self) -> Float[np.ndarray, "vertices 3"]:
        """The surface's vertices at rest."""
        shaped = self.tracked.surface.basis.shaped(self.identity)
        return shaped if self.offsets is None else shaped + self.offsets[self.tracked.surface.vertex_idx]

    @cached_property
    def landmark_rest(self) -> Float[np.ndarray, "landmarks 3"]:
        """Landmarks at rest, this person's offsets included."""
        rest = self.tracked.landmarks.shaped(self.identity) + self.landmark_offsets.astype(np.float32)
        if self.offsets is None:
            return rest
        model = self.tracked.model
        return rest + model.landmarks["mediapipe_478"].points(torch.from_numpy(self.offsets), model.faces).numpy()


def interocular(landmarks: Float[np.ndarray, "*frames landmarks 2"]) -> Float[np.ndarray, "*frames"]:
    """Distance of the outer eye corners, px."""
    right, left = OUTER_EYE_CORNERS
    return np.linalg.norm(landmarks[..., right, :] - landmarks[..., left, :], axis=-1)
