"""Pieces of an unfinished preparation: the frames done so far, and all that the next frame depends on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from headcast.perceive import FaceBox, FollowState, MatteState, Window
from headcast.perceive.cuts import CutState
from headcast.perceive.follow import Followed
from headcast.store import CapturePaths, read_arrays, write_arrays

Arrays = dict[str, ndarray]


@dataclass(frozen=True)
class Progress:
    """How far a preparation came."""

    frames: Arrays
    """Per-frame arrays of all frames done."""
    follow: FollowState
    matte: MatteState | None

    @property
    def frame_count(self) -> int:
        return len(self.frames["time_s"])


def write_part(paths: CapturePaths, start: int, rows: list[Arrays], follow: FollowState, matte: MatteState | None) -> None:
    """Writes frames from `start` on and the state after them as one file, which is there whole or not at all."""
    stacked = {f"frame_{name}": np.stack([row[name] for row in rows]) for name in rows[0]}
    write_arrays(paths.part(start, start + len(rows)), {**stacked, **_follow_arrays(follow), **_matte_arrays(matte)})


def read_progress(paths: CapturePaths) -> Progress | None:
    """All parts that follow one another from frame 0; None where there are none."""
    spans = sorted((tuple(int(n) for n in re.findall(r"\d+", path.stem)), path) for path in paths.parts.glob("frames_*.npz"))
    pieces, end, last = [], 0, None
    for (start, stop), path in spans:
        if start != end:
            break
        last = read_arrays(path)
        pieces.append({name.removeprefix("frame_"): value for name, value in last.items() if name.startswith("frame_")})
        end = stop
    if last is None:
        return None
    return Progress({name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}, _follow_state(last), _matte_state(last))


def _follow_arrays(state: FollowState) -> Arrays:
    arrays = {"misses": np.array(state.misses)}
    if state.cuts is not None:
        arrays |= {"thumbnail": state.cuts.thumbnail, "histogram": state.cuts.histogram, "usual_change": np.array(state.cuts.usual_change)}
    if state.followed is not None:
        face = state.followed
        lost = np.nan if face.lost_since_s is None else face.lost_since_s
        arrays |= {"face_box": np.array([*face.box.center_px, face.box.side_px, face.box.roll_rad, face.box.score])}
        arrays |= {"face_bias": face.bias, "face_agreement": face.agreement, "face_age": np.array(face.age), "face_lost_since_s": np.array(lost)}
    return arrays


def _follow_state(arrays: Mapping[str, ndarray]) -> FollowState:
    cuts = followed = None
    if "thumbnail" in arrays:
        cuts = CutState(arrays["thumbnail"], arrays["histogram"], float(arrays["usual_change"]))
    if "face_box" in arrays:
        x, y, side, roll, score = arrays["face_box"].tolist()
        lost = float(arrays["face_lost_since_s"])
        box = FaceBox(np.array([x, y]), side, roll, score)
        followed = Followed(box, arrays["face_bias"], arrays["face_agreement"], int(arrays["face_age"]), None if np.isnan(lost) else lost)
    return FollowState(cuts, followed, int(arrays["misses"]))


def _matte_arrays(state: MatteState | None) -> Arrays:
    if state is None:
        return {}
    window = state.window
    memory = {f"matte_memory_{k}": value for k, value in enumerate(state.memory)}
    return {**memory, "matte_alpha": state.alpha, "matte_state_window": np.array([window.left, window.top, window.width, window.height])}


def _matte_state(arrays: Mapping[str, ndarray]) -> MatteState | None:
    if "matte_alpha" not in arrays:
        return None
    memory = tuple(arrays[name] for name in sorted(arrays) if name.startswith("matte_memory_"))
    return MatteState(Window(*(int(n) for n in arrays["matte_state_window"])), arrays["matte_alpha"], memory)
