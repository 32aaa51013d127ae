"""What does not change from frame to frame: the head model as the tracker needs it, and a person's shape, looks and camera."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float

from headcast.geometry import vertex_normals
from headcast.heads import HeadModel, LandmarkSet
from headcast.perceive import MEDIAPIPE
from headcast.perceive.embedding import landmark_set
from headcast.track.config import Sigmas
from headcast.track.marks import FACE_OVAL, OUTER_EYE_CORNERS, Marks
from headcast.track.moving_skin import MovingSkin
from headcast.track.points import PointBasis, Skeleton, Unknowns
from headcast.track.regions import Regions
from headcast.track.rig import Rig
from headcast.track.surface import Surface


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
    marks: Marks
    landmark_set: LandmarkSet
    landmarks: PointBasis
    landmark_sigma: Float[np.ndarray, "landmarks"]
    """How far the model's landmark definitions are from the detector's, metres."""
    landmark_normals: Float[np.ndarray, "landmarks 3"]
    """Outward, of the mean head."""
    face_oval: Float[np.ndarray, "oval 2"]
    """Rim of the mean head's face, seen from the front (m)."""
    unknowns: Unknowns
    prior: Prior

    @classmethod
    def of(
        cls,
        model: HeadModel,
        sigmas: Sigmas,
        layouts: tuple[str, ...] = (MEDIAPIPE,),
        regions: Regions = Regions(),  # noqa: B008
    ) -> "TrackedModel":
        """For captures with landmarks of these layouts."""
        unknowns = Unknowns.of(model)
        found = landmark_set(model, layouts)
        landmarks = PointBasis.of_landmarks(model, found)
        spread = found.sigma
        sigma = np.full(len(landmarks.template), 0.001, np.float32) if spread is None else spread.numpy().astype(np.float32)
        normals = vertex_normals(model.template, model.faces)
        at_landmarks = found.points(normals, model.faces).numpy()
        at_landmarks /= np.maximum(np.linalg.norm(at_landmarks, axis=1, keepdims=True), 1e-6)
        prior = Prior.of(model, unknowns, sigmas)
        oval = PointBasis.of_landmarks(model, model.landmarks[MEDIAPIPE]).template[FACE_OVAL, :2]
        return cls(model, Surface.of(model, regions), Marks.of(layouts), found, landmarks, sigma, at_landmarks, oval, unknowns, prior)


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
    moving: MovingSkin | None = None
    """What the skin adds in each frame; None where it was not solved."""
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

    def in_frame(self, frame_idx: int) -> "Person":
        """The same as the skin is in a frame: what moves counts among its offsets."""
        if self.moving is None:
            return self
        still = np.float32(0) if self.offsets is None else self.offsets
        return self.changed(offsets=still + self.moving.at(frame_idx), moving=None)

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
        return rest + self.tracked.landmark_set.points(torch.from_numpy(self.offsets), self.tracked.model.faces).numpy()


def interocular(landmarks: Float[np.ndarray, "*frames landmarks 2"], eyes: tuple[int, int] = OUTER_EYE_CORNERS) -> Float[np.ndarray, "*frames"]:
    """Distance of the outer eye corners, px; `eyes` are their numbers (`Marks.eyes`)."""
    right, left = eyes
    return np.linalg.norm(landmarks[..., right, :] - landmarks[..., left, :], axis=-1)
