"""What is solved of a clip so far: what one stage of a track hands to the next, and its file, from which an interrupted run goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from headcast.errors import FormatError
from headcast.store import check_arrays, read_arrays, write_arrays
from headcast.track.moving_skin import MovingSkin
from headcast.track.person import Person
from headcast.track.points import FrameState
from headcast.track.rig import Rig

SCHEMA = 1
_RIG: dict[str, tuple[str | int, ...]] = {
    "focal_px": ("cameras", 2),
    "center_px": ("cameras", 2),
    "rotation": ("cameras", "poses", 3, 3),
    "translation": ("cameras", "poses", 3),
    "world_rotation": (3, 3),
    "world_translation": (3,),
    "free_poses": (),
}
_SHAPE: dict[str, tuple[str | int, ...]] = {"identity": ("identity",), "landmark_offsets": ("landmarks", 3), "offsets": ("vertices", 3)}
_MOVING: dict[str, tuple[str | int, ...]] = {"modes": ("modes", "vertices", 3), "weights": ("frames", "modes")}
_LOOKS: dict[str, tuple[str | int, ...]] = {"light": (9, 3), "texture": ("side", "side", 4), "color_sigma": (), "light_follows": ()}
_STATE: dict[str, tuple[str | int, ...]] = {"rotation": (3, 3), "translation": (3,), "joint_rotations": ("joints", 3), "expression": ("expression",)}
_SOLID = {**_SHAPE, **{f"rig_{name}": axes for name, axes in _RIG.items()}}
_BEFORE = {f"before_{name}": axes for name, axes in _SOLID.items()}
ARRAYS: dict[str, tuple[str | int, ...]] = {
    "schema": (),
    "model": (),
    "stages": ("stages",),
    "under_way": (),
    "times": (),
    **_SOLID,
    **_LOOKS,
    **{f"moving_{name}": axes for name, axes in _MOVING.items()},
    "log_focal_sigma": (),
    "evidence": (),
    "seen": ("cameras", "frames"),
    "keyframe_idx": ("keyframes",),
    **{f"keyframe_{name}": ("keyframes", *axes) for name, axes in _STATE.items()},
    "frame_idx": ("tracked",),
    **{f"frame_{name}": ("tracked", *axes) for name, axes in _STATE.items()},
    **_BEFORE,
}
"""Of the file, with their axes."""
_OPTIONAL = ("offsets", "texture", "evidence", "light_follows", "moving_modes", "moving_weights", *_BEFORE)
_KINDS = {
    "U": ("model", "stages", "under_way"),
    "i": ("schema", "times", "keyframe_idx", "frame_idx"),
    "b": ("seen", "light_follows", "rig_free_poses", "before_rig_free_poses"),
}
"""Of the arrays' types; all others are floating point."""


@dataclass(frozen=True)
class Scene:
    """The unknowns of a clip, as far as they are solved."""

    person: Person
    seen: Bool[ndarray, "cameras frames"]
    """Where each camera sees the head."""
    keyframe_idx: Int[ndarray, "keyframes"]
    keyframe_states: tuple[FrameState, ...] = ()
    """Empty before the first stage."""
    states: Mapping[int, FrameState] = field(default_factory=dict)
    """Of all frames that show a face, by frame; empty before the frames were followed."""
    before: Person | None = None
    """Whom `states` belong to, where the person's shape or the cameras have changed since."""
    log_focal_sigma: float = 0.0
    """Of the first camera, as landmarks know it."""
    evidence: float | None = None
    """How much more (or less) the clip's colours know than usual; None before it was measured."""
    stages: tuple[str, ...] = ()
    """Those that are finished, as `Stage.spec`."""
    under_way: str = ""
    """The one that is not finished, where `times` of it are done."""
    times: int = 0
    """Its frames that are followed, or its epochs."""

    @property
    def begun(self) -> tuple[str, ...]:
        """All stages that anything was done of."""
        return tuple(name for name in (*self.stages, self.under_way) if name)

    def reshaped(self, person: Person, states: Sequence[FrameState]) -> "Scene":
        """With another person and keyframes; the frames' states still belong to the one before."""
        before = self.person if self.before is None and self.states else self.before
        return replace(self, person=person, keyframe_states=tuple(states), before=before)

    def followed(self, states: Mapping[int, FrameState]) -> "Scene":
        """With states of all frames that belong to the person as he or she is now."""
        keyframe_states = tuple(states[int(idx)] for idx in self.keyframe_idx)
        return replace(self, states=dict(states), keyframe_states=keyframe_states, before=None)

    def save(self, path: Path) -> None:
        """Writes one npz, of a scene that has keyframes' states; a kill leaves the old one or the new one."""
        words = {"model": self.person.tracked.model.name, "stages": np.array(self.stages, np.str_), "under_way": self.under_way}
        numbers = {"schema": SCHEMA, "times": self.times, "log_focal_sigma": self.log_focal_sigma, "evidence": self.evidence}
        before = {} if self.before is None else {f"before_{name}": value for name, value in _solid(self.before).items()}
        looks = {name: getattr(self.person, name) for name in _LOOKS}
        moving = self.person.moving
        skin = {} if moving is None else {f"moving_{name}": getattr(moving, name) for name in _MOVING}
        frames = sorted(self.states)
        arrays = {
            **words, **numbers, **_solid(self.person), **looks, **skin, **before, "seen": self.seen,
            **_stacked("keyframe", self.keyframe_idx.tolist(), self.keyframe_states, self.keyframe_states[0]),
            **_stacked("frame", frames, [self.states[idx] for idx in frames], self.keyframe_states[0]),
        }  # fmt: skip
        write_arrays(path, {name: np.asarray(value) for name, value in arrays.items() if value is not None})

    @classmethod
    def load(cls, path: Path, start: Person, frame_count: int) -> "Scene":
        """Reads what `save` wrote; `start` is the same clip's person before anything was solved.

        Raises:
            FormatError: the file was cut short, is newer, or belongs to another model or recording.
        """
        arrays = read_arrays(path)
        _check(arrays, start, frame_count, path)
        person = _person(arrays, "", start)
        looks = {name: arrays[name] for name in ("light", "texture") if name in arrays}
        moving = MovingSkin(arrays["moving_modes"], arrays["moving_weights"]) if "moving_modes" in arrays else None
        return cls(
            person=person.changed(
                **looks, moving=moving, color_sigma=float(arrays["color_sigma"]), light_follows=bool(arrays.get("light_follows", False))
            ),
            seen=arrays["seen"],
            keyframe_idx=arrays["keyframe_idx"],
            keyframe_states=_unstacked("keyframe", arrays),
            states=dict(zip(arrays["frame_idx"].tolist(), _unstacked("frame", arrays), strict=True)),
            before=_person(arrays, "before_", start) if "before_identity" in arrays else None,
            log_focal_sigma=float(arrays["log_focal_sigma"]),
            evidence=float(arrays["evidence"]) if "evidence" in arrays else None,
            stages=tuple(arrays["stages"].tolist()),
            under_way=str(arrays["under_way"]),
            times=int(arrays["times"]),
        )


def stages_in(path: Path) -> tuple[str, ...]:
    """The stages that a file's scene has begun."""
    arrays = read_arrays(path)
    check_arrays(arrays, {name: ARRAYS[name] for name in ("stages", "under_way")}, (), path)
    return tuple(name for name in (*arrays["stages"].tolist(), str(arrays["under_way"])) if name)


def _solid(person: Person) -> dict[str, Any]:
    """What decides where a person's points are seen, besides the frames' own states."""
    rig = {f"rig_{name}": getattr(person.rig, name) for name in _RIG}
    return {name: value for name in _SHAPE if (value := getattr(person, name)) is not None} | rig


def _person(arrays: Mapping[str, ndarray], prefix: str, start: Person) -> Person:
    rig = {name: arrays[f"{prefix}rig_{name}"] for name in _RIG}
    shape = {name: arrays[prefix + name] for name in _SHAPE if prefix + name in arrays}
    return start.changed(**shape, rig=Rig(**{**rig, "free_poses": bool(rig["free_poses"])}))


def _stacked(prefix: str, frame_idx: Sequence[int], states: Sequence[FrameState], like: FrameState) -> dict[str, ndarray]:
    """States as arrays; `like` has the shapes where there are none."""
    stacked = {name: np.array([getattr(state, name) for state in states]).reshape(-1, *getattr(like, name).shape) for name in _STATE}
    return {f"{prefix}_idx": np.array(frame_idx, np.int64), **{f"{prefix}_{name}": value for name, value in stacked.items()}}


def _unstacked(prefix: str, arrays: Mapping[str, ndarray]) -> tuple[FrameState, ...]:
    columns = {name: arrays[f"{prefix}_{name}"] for name in _STATE}
    return tuple(FrameState(**{name: values[place] for name, values in columns.items()}) for place in range(len(arrays[f"{prefix}_idx"])))


def _check(arrays: Mapping[str, ndarray], start: Person, frame_count: int, path: Path) -> None:
    """Raises `FormatError` where the arrays are not those of a checkpoint of this clip and model."""
    unknown = sorted(set(arrays) - set(ARRAYS))
    if unknown:
        raise FormatError(f"expected the arrays of a checkpoint, found {unknown} among them: {path}")
    model = start.tracked.model
    lengths = {
        "identity": model.identity_count, "joints": model.joint_count, "expression": model.expression_count, "vertices": len(model.template),
        "landmarks": len(start.landmark_offsets), "cameras": start.rig.camera_count, "frames": frame_count,
    }  # fmt: skip
    check_arrays(arrays, {name: [lengths.get(str(axis), axis) for axis in axes] for name, axes in ARRAYS.items()}, _OPTIONAL, path)
    for name, value in arrays.items():
        kind = next((kind for kind, names in _KINDS.items() if name in names), "f")
        if value.dtype.kind != kind:
            raise FormatError(f"expected {name!r} of kind {kind!r}, found {value.dtype}, in {path}")
    for name, expected in (("schema", SCHEMA), ("model", model.name)):
        if arrays[name].item() != expected:
            raise FormatError(f"expected a checkpoint of {name} {expected!r}, found {arrays[name].item()!r}, in {path}")
    for name in ("keyframe_idx", "frame_idx"):
        if not np.isin(arrays[name], np.arange(frame_count)).all():
            raise FormatError(f"expected {name!r} from 0 to {frame_count - 1}, found {arrays[name].tolist()[:5]} and so on, in {path}")
