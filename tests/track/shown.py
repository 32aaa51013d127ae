"""Clips in memory that show exactly what the tracker's own surface looks like, with the truth beside them."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from headcast.geometry import matrix_from_axis_angle
from headcast.heads import open_head
from headcast.track import TrackConfig
from headcast.track.light import AMBIENT
from headcast.track.observation import Window
from headcast.track.person import Person, TrackedModel
from headcast.track.points import FrameState, move_points
from headcast.track.rig import WORLD_FROM_CAMERA, Rig
from headcast.track.view import view_of


@dataclass(frozen=True)
class ShownClip:
    """A capture in memory with the truth beside it."""

    images: np.ndarray
    mattes: np.ndarray
    landmarks_px: np.ndarray
    states: tuple[FrameState, ...]
    """In rig space."""
    person: Person
    found: np.ndarray
    depths: np.ndarray
    """Metres along the view, 0 beside the head."""
    focal_hint_px: float | None = None
    layouts: tuple[str, ...] = ("mediapipe_478",)

    @property
    def frame_count(self):
        return len(self.images)

    @property
    def size(self):
        return self.images.shape[1:3]

    source_size = size

    @property
    def center_px(self):
        return np.array(self.size[::-1]) / 2

    @property
    def cuts(self):
        return np.zeros(self.frame_count, bool)

    @property
    def time_s(self):
        return np.arange(self.frame_count) / 25

    @property
    def confidence(self):
        return np.ones(self.landmarks_px.shape[:2], np.float32)

    def frames(self, indices=None):
        for idx in range(self.frame_count) if indices is None else indices:
            yield int(idx), self.images[idx], self.mattes[idx]


def some_person(generator: np.random.Generator, rig: Rig, layouts: tuple[str, ...] = ("mediapipe_478",)) -> Person:
    """Somebody with a random shape and a texture that has something to see everywhere, and landmarks of these layouts."""
    tracked = TrackedModel.of(open_head(), TrackConfig().sigmas, layouts)
    texture = np.full((1024, 1024, 3), (0.75, 0.6, 0.5), np.float32)
    for side, amount in ((16, 0.06), (128, 0.07), (512, 0.07)):
        texture += cv2.resize(amount * generator.normal(size=(side, side, 3)).astype(np.float32), (1024, 1024), interpolation=cv2.INTER_CUBIC)
    texture = np.concatenate([texture.clip(0.05, 1), np.ones((1024, 1024, 1))], 2).astype(np.float32)
    light = AMBIENT.copy()
    light[1:4] += 0.15 * generator.normal(size=(3, 1)).astype(np.float32)
    return Person(
        tracked, generator.normal(size=tracked.model.identity_count), rig, light, np.zeros((tracked.marks.layout.count, 3), np.float32), texture
    )


def turning_states(frames: int, widest: float = 0.5) -> tuple[FrameState, ...]:
    """A head that turns to either side (rad), talks, smiles and raises its brows."""
    model, states = open_head(), []
    channels = [model.expression_names.index(name) for name in ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp")]
    for frame in range(frames):
        phase = 2 * np.pi * frame / frames
        turn = matrix_from_axis_angle(torch.tensor([0.1 * np.sin(2 * phase), widest * np.sin(phase), 0.05])).numpy()
        expression = np.zeros(model.expression_count)
        expression[channels] = 0.3 + 0.3 * np.sin(phase * np.array([1, 2, 2, 3]) + np.array([0, 1, 1, 2]))
        place = np.array([0.01 * np.sin(phase), 0.0, 0.5])
        states.append(FrameState(WORLD_FROM_CAMERA @ turn, place, np.zeros((model.joint_count, 3)), expression.clip(0, 1)))
    return tuple(states)


def shown_clip(person: Person, states: tuple[FrameState, ...], side: int, generator: np.random.Generator, camera: int = 0) -> ShownClip:
    """The states as one of the rig's cameras sees them, drawn at twice the size, with noise on colours and landmarks."""
    surface, texture = person.tracked.surface, person.texture
    size, images, mattes, landmarks, depths = texture.shape[0], [], [], [], []
    for frame_idx, placed in enumerate(states):
        own, state = person.in_frame(frame_idx).through(camera, frame_idx), person.rig.seen(placed, camera, frame_idx)
        view = view_of(own, state, Window(np.full(2, 2.0), np.zeros(2), (2 * side, 2 * side)))
        covered, mix = view.face >= 0, view.barycentric[..., None]
        face = np.where(covered, view.face, 0)
        uv = (surface.uv[face] * mix).sum(2).astype(np.float32)
        shade = (view.shading[surface.faces[face]] * mix).sum(2)
        color = cv2.remap(texture, uv[..., 0] * size - 0.5, (1 - uv[..., 1]) * size - 0.5, cv2.INTER_LINEAR)[..., :3] * shade
        picture = cv2.resize(np.where(covered[..., None], color, 0.2).astype(np.float32), (side, side), interpolation=cv2.INTER_AREA).clip(0, 1)
        linear = picture**2.2
        srgb = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) + 0.006 * generator.normal(size=picture.shape)
        images.append((srgb.clip(0, 1) * 255).round().astype(np.uint8))
        mattes.append((cv2.resize(covered.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) * 255).astype(np.uint8))
        depths.append(np.where(covered, view.depth, 0)[1::2, 1::2].astype(np.float32))
        marks = move_points(person.tracked.landmarks, own.landmark_rest, own.skeleton, person.tracked.unknowns, state, own.focal_px, own.center_px)
        landmarks.append(marks.pixels + 0.5 * generator.normal(size=marks.pixels.shape))
    found = np.ones(len(states), bool)
    layouts = person.tracked.marks.layout.names
    return ShownClip(
        np.stack(images), np.stack(mattes), np.stack(landmarks).astype(np.float32), states, person, found, np.stack(depths), layouts=layouts
    )


def exposed(clip: ShownClip, gains: np.ndarray) -> ShownClip:
    """The clip as a camera records it whose exposure and white balance change: a factor on linear light per frame and channel."""
    srgb = clip.images / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4) * gains[:, None, None]
    changed = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return replace(clip, images=(changed.clip(0, 1) * 255).round().astype(np.uint8))


def drifting_gains(frames: int) -> np.ndarray:
    """Exposure that falls by half and comes back while the white balance goes from warm to cold."""
    phase = np.linspace(0, 1, frames)[:, None]
    return 0.5 + 0.5 * np.cos(np.pi * phase) ** 2 * np.ones(3) * np.exp(np.array([-0.15, 0.0, 0.15]) * (2 * phase - 1))
