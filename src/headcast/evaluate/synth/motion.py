"""How a synthetic person moves: head turns, speech, blinks, smiles, gaze, all known exactly."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from headcast.evaluate.synth.noise import smooth_curve
from headcast.geometry import Transform, matrix_from_axis_angle
from headcast.heads import HeadModel, HeadPose

_NECK_SHARE = 0.3
"""Part of every head turn that the neck joint makes; the rest turns the body with the head."""

_SLOW = (
    ("mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft", "cheekSquintRight"),
    ("browInnerUp", "browInnerUpLeft", "browInnerUpRight", "browOuterUpLeft", "browOuterUpRight"),
    ("browDownLeft", "browDownRight"),
    ("eyeSquintLeft", "eyeSquintRight"),
    ("eyeWideLeft", "eyeWideRight"),
    ("mouthFrownLeft", "mouthFrownRight", "mouthShrugLower"),
    ("noseSneerLeft", "noseSneerRight"),
    ("mouthLeft",),
    ("mouthRight",),
    ("mouthDimpleLeft", "mouthDimpleRight"),
    ("mouthPressLeft", "mouthPressRight"),
    ("mouthStretchLeft", "mouthStretchRight"),
    ("cheekPuff", "cheekPuffLeft", "cheekPuffRight"),
    ("jawLeft",),
    ("jawRight",),
    ("jawForward",),
)
"""Expressions that come and go together, a few times in a clip."""
_SPEECH = {
    "jawOpen": 0.45,
    "mouthFunnel": 0.5,
    "mouthPucker": 0.6,
    "mouthLowerDownLeft": 0.45,
    "mouthLowerDownRight": 0.45,
    "mouthUpperUpLeft": 0.35,
    "mouthUpperUpRight": 0.35,
    "mouthRollLower": 0.4,
    "mouthRollUpper": 0.3,
    "mouthShrugUpper": 0.3,
}
"""Expressions of speech and how far they usually go."""
_PAIRED = (("mouthLowerDownLeft", "mouthLowerDownRight"), ("mouthUpperUpLeft", "mouthUpperUpRight"))
_EXCLUSIVE = (("mouthLeft", "mouthRight"), ("jawLeft", "jawRight"))
_SYLLABLE_S = 0.24
_SWELL_S = 0.8
"""Seconds that an expression of the slow groups lasts."""
_BLINK_S = 0.32
_LOOK_RANGE = 0.7
_LIP_LIMIT = 1.2


@dataclass(frozen=True)
class MotionConfig:
    """How much a synthetic person moves."""

    yaw_deg: float = 45.0
    """Largest turn to either side."""
    pitch_deg: float = 18.0
    roll_deg: float = 12.0
    shift_m: float = 0.03
    """Largest sideways and vertical movement of the head."""
    depth_m: float = 0.05
    """Largest movement towards the camera and away from it."""
    turn_period_s: float = 3.0
    """About how long one swing of the head takes."""
    expression: float = 1.0
    """Scale of all expressions; 0 gives a mask."""
    gaze: float = 1.0
    """Scale of eye movements."""


def synthetic_pose(model: HeadModel, count: int, fps: float, distance_m: float, config: MotionConfig, rng: np.random.Generator) -> HeadPose:
    """The pose of every frame: the head's middle stays about `distance_m` in front of a camera at the origin that looks along −Z."""
    turn = _head_turn(count, fps, config, rng)
    neck = torch.zeros(count, model.joint_count, 3)
    if "neck" in model.joint_names:
        neck[:, model.joint_names.index("neck")] = turn * _NECK_SHARE
        turn = turn * (1 - _NECK_SHARE)
    rotation = matrix_from_axis_angle(turn)
    middle = torch.tensor([0.0, -0.02, -0.03])
    wander = torch.from_numpy(np.stack([smooth_curve(count, 2.5 * fps, rng) for _ in range(3)], 1)).float()
    place = torch.tensor([0.0, 0.0, -distance_m]) + wander * torch.tensor([config.shift_m, config.shift_m, config.depth_m])
    expression = torch.from_numpy(_expression(model, count, fps, config, rng)).float()
    joints = neck + torch.from_numpy(_joint_motion(model, count, fps, config, rng)).float()
    return HeadPose(expression, joints, Transform(rotation, place - (rotation @ middle)))


def _head_turn(count: int, fps: float, config: MotionConfig, rng: np.random.Generator) -> Float[torch.Tensor, "frames 3"]:
    """Axis-angle turns; yaw reaches its bound on at least one side, pitch and roll are smaller where yaw is large."""
    yaw = np.deg2rad(config.yaw_deg) * smooth_curve(count, config.turn_period_s * fps, rng)
    left_over = np.sqrt(np.clip(1 - (np.abs(yaw) / max(np.deg2rad(90.0), 1e-9)) ** 2, 0, 1))
    pitch = np.deg2rad(config.pitch_deg) * smooth_curve(count, 0.8 * config.turn_period_s * fps, rng) * left_over
    roll = np.deg2rad(config.roll_deg) * smooth_curve(count, 1.2 * config.turn_period_s * fps, rng) * left_over
    return torch.from_numpy(np.stack([pitch, yaw, roll], 1)).float()


def _expression(model: HeadModel, count: int, fps: float, config: MotionConfig, rng: np.random.Generator) -> Float[np.ndarray, "frames expression"]:
    names = model.expression_names
    if "jawOpen" not in names:
        # A statistical expression space: every mode wanders, none has a meaning of its own.
        curves = np.stack([smooth_curve(count, rng.uniform(0.4, 1.5) * fps, rng) for _ in names], 1)
        falling = 1.2 / np.sqrt(1 + np.arange(len(names)) / 10)
        return np.clip(curves * falling * config.expression, model.expression_lower.numpy(), model.expression_upper.numpy())
    curves = {name: np.zeros(count) for name in names}
    _add_slow(curves, count, fps, rng)
    _add_speech(curves, count, fps, rng)
    _share_lips(curves)
    curves = {name: value * config.expression for name, value in curves.items()}
    _add_gaze(curves, count, fps, config, rng)
    _add_blinks(curves, count, fps, rng)
    return np.clip(np.stack([curves[name] for name in names], 1), 0.0, 1.0)


def _swell(count: int, start: float, length: float) -> Float[np.ndarray, "count"]:
    """A bump of height one: rises, stays for a third of its length, falls."""
    t = (np.arange(count) - start) / max(length, 1e-9)
    rise = np.clip(np.minimum(t, 1 - t) * 3, 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * rise)


def _add_slow(curves: dict[str, np.ndarray], count: int, fps: float, rng: np.random.Generator) -> None:
    """Every group once, in a random order, near its full range, then more of them, weaker; rarely are more than two there at a time."""
    groups = [[name for name in group if name in curves] for group in _SLOW]
    order = rng.permutation(len(groups))
    length = max(_SWELL_S * fps, 1.6 * count / len(groups))
    starts = np.linspace(-0.1 * length, count - 0.7 * length, len(groups)) + rng.uniform(-0.2, 0.2, len(groups)) * length
    for group, start in zip(order, starts, strict=True):
        swell = rng.uniform(0.7, 1.0) * _swell(count, start, min(length, 2 * _SWELL_S * fps))
        for name in groups[group]:
            curves[name] = np.maximum(curves[name], swell * rng.uniform(0.75, 1.0))
    for one, other in _EXCLUSIVE:
        if one in curves and other in curves:
            weaker = np.minimum(curves[one], curves[other])
            curves[one] -= weaker
            curves[other] -= weaker


def _add_speech(curves: dict[str, np.ndarray], count: int, fps: float, rng: np.random.Generator) -> None:
    """Syllables: each opens the jaw a little and forms the lips in one of several ways; now and then the mouth opens wide."""
    talking = np.clip(0.5 + 2.0 * smooth_curve(count, 2.0 * fps, rng), 0, 1)
    at = 0.0
    while at < count:
        length = rng.uniform(0.7, 1.5) * _SYLLABLE_S * fps
        swell = _swell(count, at - 0.25 * length, 1.5 * length) * talking
        chosen = {"jawOpen"} | set(rng.choice(sorted(_SPEECH), size=2, replace=False))
        for one, other in _PAIRED:
            if chosen & {one, other}:
                chosen |= {one, other}
        for name in sorted(chosen & set(curves)):
            curves[name] = np.maximum(curves[name], swell * _SPEECH[name] * rng.uniform(0.3, 1.6))
        at += length
    for name, height in (("jawOpen", 0.9), ("mouthPucker", 0.9), ("mouthFunnel", 0.8)):
        length = rng.uniform(0.5, 1.0) * fps
        curves[name] = np.maximum(curves[name], height * _swell(count, rng.uniform(0, 1) * max(count - length, 1), length))
    if "mouthClose" in curves:
        # mouthClose keeps the lips together under an open jaw; alone it would press them through each other.
        curves["mouthClose"] = 0.7 * curves["jawOpen"] * np.clip(smooth_curve(count, 1.0 * fps, rng), 0, 1)


def _share_lips(curves: dict[str, np.ndarray]) -> None:
    """No lips can smile, pucker and press at once: where the shapes of the mouth sum to more than a limit, all give way alike."""
    shapes = [name for name in curves if name.startswith("mouth") and name != "mouthClose"]
    total = sum((0.5 if name.endswith(("Left", "Right")) and len(name) > len("mouthRight") else 1.0) * curves[name] for name in shapes)
    share = np.minimum(1.0, _LIP_LIMIT / np.maximum(total, 1e-9))
    for name in shapes:
        curves[name] = curves[name] * share


def _add_gaze(curves: dict[str, np.ndarray], count: int, fps: float, config: MotionConfig, rng: np.random.Generator) -> None:
    """Saccades: the eyes jump, rest, and jump again; both eyes look the same way."""
    left, up = _saccades(count, fps, rng)
    left, up = left * _LOOK_RANGE * config.gaze, up * _LOOK_RANGE * config.gaze
    for name, value in (
        ("eyeLookOutLeft", left), ("eyeLookInRight", left), ("eyeLookInLeft", -left), ("eyeLookOutRight", -left),
        ("eyeLookUpLeft", up), ("eyeLookUpRight", up), ("eyeLookDownLeft", -up), ("eyeLookDownRight", -up),
    ):  # fmt: skip
        if name in curves:
            curves[name] = np.maximum(value, 0.0)


def _saccades(count: int, fps: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where the eyes look, −1 to 1 (to the person's left, up): steps that take three frames each."""
    targets = np.zeros((count, 2))
    at = 0
    while at < count:
        hold = int(rng.uniform(0.3, 1.2) * fps) + 1
        targets[at : at + hold] = rng.uniform(-1, 1, 2) * [1.0, 0.7]
        at += hold
    padded = np.pad(targets, ((1, 1), (0, 0)), mode="edge")
    smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    return smooth[:, 0], smooth[:, 1]


def _add_blinks(curves: dict[str, np.ndarray], count: int, fps: float, rng: np.random.Generator) -> None:
    """A full blink every two to four seconds; where the lids close, what else moves them gives way."""
    if "eyeBlinkLeft" not in curves:
        return
    closed = np.zeros(count)
    at = rng.uniform(0.2, 1.0) * fps
    while at < count:
        closed = np.maximum(closed, _swell(count, at, _BLINK_S * fps))
        at += rng.uniform(2.0, 4.0) * fps
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        curves[name] = np.maximum(curves[name], closed)
    gives_way = ("eyeWide", "eyeSquint", "eyeLookDown", "eyeLookUp", "cheekSquint")
    for name, value in curves.items():
        if name.startswith(gives_way):
            curves[name] = value * (1 - 0.8 * closed)


def _joint_motion(model: HeadModel, count: int, fps: float, config: MotionConfig, rng: np.random.Generator) -> Float[np.ndarray, "frames joints 3"]:
    """Turns of jaw and eyes for models whose expressions do not move them."""
    turns = np.zeros((count, model.joint_count, 3))
    if "jawOpen" in model.expression_names:
        return turns
    if "jaw" in model.joint_names:
        opening = np.zeros(count)
        at = 0.0
        while at < count:
            length = rng.uniform(0.7, 1.5) * _SYLLABLE_S * fps
            opening = np.maximum(opening, rng.uniform(0.0, 1.0) * _swell(count, at, 1.5 * length))
            at += length
        turns[:, model.joint_names.index("jaw"), 0] = np.deg2rad(14.0) * opening * config.expression
    left, up = _saccades(count, fps, rng)
    for name in ("left_eye", "right_eye"):
        if name in model.joint_names:
            turns[:, model.joint_names.index(name), 0] = -np.deg2rad(15.0) * up * config.gaze
            turns[:, model.joint_names.index(name), 1] = np.deg2rad(25.0) * left * config.gaze
    return turns
