"""What gets in the way of a face: a hand, a microphone, a pair of glasses; drawn over the finished head."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float

from headcast.evaluate.synth.noise import smooth_curve, space_noise

OccluderKind = Literal["hand", "microphone", "glasses"]


@dataclass(frozen=True)
class Capsules:
    """Round-ended strokes in the image, the later ones in front."""

    ends_px: Float[np.ndarray, "strokes 2 2"]
    radius_px: Float[np.ndarray, "strokes"]
    color: Float[np.ndarray, "3"]
    """Linear."""
    texture: float
    """Strength of the noise on it."""
    hides: bool
    """Whether it is wide enough to hide a part of the face; the frame of glasses is not."""


def random_occluders(
    kinds: tuple[OccluderKind, ...], count: int, first_marks_px: Float[np.ndarray, "68 2"], skin: Float[np.ndarray, "3"], rng: np.random.Generator
) -> "OccluderMotion":
    """How the occluders of a clip move.

    Args:
        kinds: which there are.
        count: frames of the clip.
        first_marks_px: the 68 landmarks in the first frame's image; they give the head's size and where the microphone stands.
        skin: colour of the hand, linear.
    """
    return OccluderMotion(
        kinds=kinds,
        head_px=2.0 * float(np.linalg.norm(first_marks_px[8] - first_marks_px[27])),
        skin=skin,
        stand_px=first_marks_px[[8, 57]].mean(0),
        hand_start=int(rng.uniform(0.1, 0.5) * count),
        hand_frames=max(3, int(rng.uniform(0.25, 0.4) * count)),
        hand_side=float(rng.choice([-1.0, 1.0])),
        sway=np.stack([smooth_curve(count, 30.0, rng), smooth_curve(count, 30.0, rng)], 1),
        frame_color=rng.uniform(0.005, 0.08, 3),
    )


@dataclass(frozen=True)
class OccluderMotion:
    """Occluders of a clip; `at` draws those of one frame."""

    kinds: tuple[OccluderKind, ...]
    head_px: float
    """Height of the head in the image."""
    skin: Float[np.ndarray, "3"]
    stand_px: Float[np.ndarray, "2"]
    """Where the microphone stands."""
    hand_start: int
    hand_frames: int
    hand_side: float
    sway: Float[np.ndarray, "frames 2"]
    frame_color: Float[np.ndarray, "3"]

    def at(self, frame: int, marks_px: Float[np.ndarray, "68 2"]) -> list[Capsules]:
        """What is in the way in a frame, given where the 68 landmarks are in the image."""
        result = []
        if "glasses" in self.kinds:
            result.append(self._glasses(marks_px))
        if "microphone" in self.kinds:
            result.append(self._microphone())
        if "hand" in self.kinds and self.hand_start <= frame < self.hand_start + self.hand_frames:
            result.append(self._hand(marks_px, (frame - self.hand_start) / (self.hand_frames - 1), frame))
        return result

    def _hand(self, marks_px: np.ndarray, progress: float, frame: int) -> Capsules:
        """A palm and four fingers that come from the side to mouth and cheek, rest there and go away again."""
        reach = np.clip(3 * min(progress, 1 - progress), 0, 1)
        corner = marks_px[54 if self.hand_side > 0 else 48]
        size = self.head_px * 0.11
        away = np.array([self.hand_side * 1.1, 0.7]) * self.head_px * (1 - reach * reach * (3 - 2 * reach))
        palm = corner + np.array([self.hand_side * 0.6 * size, 0.9 * size]) + away + self.sway[frame] * 0.2 * size
        strokes = [[palm, palm + np.array([self.hand_side * 2.2, 5.0]) * size], [palm, palm + np.array([0.0, 0.5 * size])]]
        radii = [0.6 * size, 0.85 * size]
        for finger in range(4):
            root = palm + np.array([(finger - 1.5) * 0.42 * size, -0.4 * size])
            strokes.append([root, root + np.array([-self.hand_side * (0.5 + 0.1 * finger), -1.3 + 0.12 * abs(finger - 1)]) * size])
            radii.append(0.24 * size)
        return Capsules(np.array(strokes), np.array(radii), self.skin * [1.05, 0.97, 0.95], 0.12, hides=True)

    def _microphone(self) -> Capsules:
        """A ball in front of the chin on a stick from below; it stands still while the head moves."""
        size = self.head_px * 0.09
        ball = self.stand_px + np.array([0.0, 0.9 * size])
        strokes = np.array([[ball, ball + np.array([0.25 * size, 12 * size])], [ball, ball + np.array([0.0, 0.35 * size])]])
        return Capsules(strokes, np.array([0.32 * size, size]), np.array([0.02, 0.02, 0.022]), 0.35, hides=True)

    def _glasses(self, marks_px: np.ndarray) -> Capsules:
        """Two rims, a bridge and the fronts of the temples, drawn around the eyes as they appear."""
        left, right = marks_px[42:48].mean(0), marks_px[36:42].mean(0)
        across = left - right
        # Seen from the side the eyes move together while the rims stay as high: the height comes from the face's own height.
        upright = marks_px[8] - marks_px[27]
        turn = np.linspace(0, 2 * np.pi, 17)
        strokes = []
        for eye, ear in ((right, marks_px[0]), (left, marks_px[16])):
            rim = eye + 0.36 * np.cos(turn)[:, None] * across + (0.16 * np.sin(turn)[:, None] + 0.03) * upright
            strokes += [[a, b] for a, b in pairwise(rim)]
            outer = rim[8 if eye is right else 0]
            strokes.append([outer, 0.65 * outer + 0.35 * ear])
        strokes.append([right + 0.36 * across, left - 0.36 * across])
        radius = np.full(len(strokes), max(0.011 * self.head_px, 0.7))
        return Capsules(np.array(strokes), radius, self.frame_color, 0.05, hides=False)


def draw_capsules(image: Float[np.ndarray, "height width 3"], capsules: Capsules, seed: int) -> Float[np.ndarray, "height width"]:
    """Draws in place (linear colour), with soft edges and round shading; returns how much of each pixel is covered."""
    height, width = image.shape[:2]
    low = (capsules.ends_px - capsules.radius_px[:, None, None]).min((0, 1)) - 2
    high = (capsules.ends_px + capsules.radius_px[:, None, None]).max((0, 1)) + 2
    left, top = np.clip(low, 0, [width, height]).astype(int)
    right, bottom = np.clip(np.ceil(high), 0, [width, height]).astype(int)
    covered = np.zeros((height, width), np.float32)
    if right <= left or bottom <= top:
        return covered
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32) + 0.5
    shade = np.zeros_like(rows)
    alpha = np.zeros_like(rows)
    for (start, end), radius in zip(capsules.ends_px.astype(np.float32), capsules.radius_px.astype(np.float32)):
        direction = end - start
        squared = float(direction @ direction)
        t = np.clip(((columns - start[0]) * direction[0] + (rows - start[1]) * direction[1]) / max(squared, 1e-9), 0, 1)
        distance = np.hypot(columns - start[0] - t * direction[0], rows - start[1] - t * direction[1])
        own = np.clip(radius - distance + 0.5, 0, 1)
        round_shade = 0.45 + 0.6 * np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1))
        shade = shade * (1 - own) + round_shade * own
        alpha = np.maximum(alpha, own)
    points = np.stack([(columns - capsules.ends_px[0, 0, 0]).ravel(), (rows - capsules.ends_px[0, 0, 1]).ravel()], 1)
    grain = np.exp(capsules.texture * space_noise(points, float(capsules.radius_px.max()) / 3, np.random.default_rng(seed))).reshape(rows.shape)
    color = capsules.color * np.where(alpha > 0, shade / np.maximum(alpha, 1e-6), 0)[..., None] * grain[..., None]
    window = image[top:bottom, left:right]
    window[:] = window * (1 - alpha[..., None]) + np.clip(color, 0, 1) * alpha[..., None]
    covered[top:bottom, left:right] = alpha
    return covered
