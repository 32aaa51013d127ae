"""Which frames of a recording train an avatar, and which are held out to judge it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headcast.errors import FormatError
from headcast.store import read_json, write_json

_LAST = 350
"""Frames held out of a long clip, as INSTA's protocol has it."""
_LONG = 1000
"""Frames from which on a clip is long."""
_SHARE = 0.2
"""Share of a shorter clip that is held out."""


@dataclass(frozen=True)
class Split:
    """Frames by their numbers in the recording, ascending."""

    train: tuple[int, ...]
    held_out: tuple[int, ...]

    @classmethod
    def usual(cls, frame_count: int) -> "Split":
        """The end is held out: the last 350 frames of a clip of 1,000 or more, of a shorter one the last fifth; none of a single frame."""
        last = _LAST if frame_count >= _LONG else min(max(round(_SHARE * frame_count), 1), frame_count - 1)
        return cls(tuple(range(frame_count - last)), tuple(range(frame_count - last, frame_count)))

    @classmethod
    def read(cls, path: Path, frame_count: int) -> "Split":
        """A file with the lists "train" and "val", as Neural Head Avatars has them.

        Raises `InputError` where there is no such file, `FormatError` where the lists are missing, overlap or name frames that are not there.
        """
        value = read_json(path)
        if not isinstance(value, dict) or not {"train", "val"} <= set(value):
            raise FormatError(f'expected an object with the lists "train" and "val", found {value!r:.80}, in {path}')
        train, held_out = (_frames(value[name], name, frame_count, path) for name in ("train", "val"))
        both = sorted(set(train) & set(held_out))
        if both:
            raise FormatError(f"expected every frame in one list at most, found {len(both)} in both, the first is {both[0]}, in {path}")
        return cls(train, held_out)

    def write(self, path: Path) -> None:
        write_json(path, {"train": list(self.train), "val": list(self.held_out)})

    def among(self, frames: Iterable[int]) -> "Split":
        """Only these of its frames."""
        usable = set(frames)
        return Split(tuple(frame for frame in self.train if frame in usable), tuple(frame for frame in self.held_out if frame in usable))


def _frames(value: Any, name: str, frame_count: int, path: Path) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(isinstance(frame, int) and not isinstance(frame, bool) for frame in value):
        raise FormatError(f"expected a list of frame numbers as {name!r}, found {value!r:.80}, in {path}")
    beyond = [frame for frame in value if not 0 <= frame < frame_count]
    if beyond:
        raise FormatError(f"expected frames 0 to {frame_count - 1} in {name!r}, found {beyond[0]}, in {path}")
    return tuple(sorted(set(value)))
