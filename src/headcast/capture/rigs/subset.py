"""Which cameras and frames of a rig are used: by name, by the divisions that NeRSemble's users know, and by VHAP's short texts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from headcast.capture.camera_source import recorded_frames
from headcast.capture.cameras import CameraFiles
from headcast.errors import ConfigError, InputError

Division = Literal["all", "train", "val", "front-view", "side-view", "six-view"]
_TRAIN = (0, 1, 2, 4, 5, 7, 8, 9, 10, 12, 13, 14)
DIVISIONS: dict[str, tuple[int, ...]] = {
    "train": _TRAIN,
    "val": tuple(camera for camera in range(16) if camera not in _TRAIN),
    "front-view": (8,),
    "side-view": (0,),
    "six-view": (0, 1, 7, 8, 14, 15),
}
"""Places in the calibration of NeRSemble's sixteen cameras."""
_DIVIDED = 16
_PART = re.compile(r"(t[ijns]|c[ins])(\d+)")


@dataclass(frozen=True)
class Subset:
    """A choice of cameras and frames. What is chosen keeps its name, its time and its number in the recording."""

    cameras: tuple[str, ...] = ()
    """Cameras by name; all if none is named."""
    division: Division = "all"
    """Of NeRSemble's 16 cameras: train (12), val (the other 4), front-view, side-view, six-view."""
    subset: str = ""
    """Frames and cameras as VHAP writes them, such as ti10tj50_cn4.
    Frames: ti10 only frame 10, ti10tj50 frames 10 to 50 (50 too), tn8 eight evenly spread, ts5 every fifth.
    Cameras, of those that the other options leave: ci3 only camera 3, cn4 four evenly spread, cs2 every second."""

    def of(self, files: CameraFiles) -> CameraFiles:
        """Those cameras and frames.

        Raises:
            ConfigError: the text says nothing known, or contradicts itself, or there is no such camera or frame.
        """
        parts = _parts(self.subset)
        left = self._named(files)
        if self.division != "all":
            if len(files.cameras) != _DIVIDED:
                raise InputError(
                    f"expected NeRSemble's {_DIVIDED} cameras, which divisions are of, found {len(files.cameras)}. Choose by name: {files.folder}"
                )
            left = [camera for camera in left if camera in DIVISIONS[self.division]]
        if not left:
            raise ConfigError(f"expected some of the cameras in division {self.division!r}, found none of {list(self.cameras)} there")
        cameras = [left[place] for place in _chosen(parts, "c", len(left), "cameras")]
        if not any(part.startswith("t") for part in parts):
            return files.subset(cameras)
        first = files.cameras[cameras[0]]
        count = len(first.used(recorded_frames(first, files)))
        return files.subset(cameras, _chosen(parts, "t", count, "frames"))

    def _named(self, files: CameraFiles) -> list[int]:
        names = [camera.name for camera in files.cameras]
        for name in self.cameras:
            files.camera(name)
        return [place for place, name in enumerate(names) if not self.cameras or name in self.cameras]


def _parts(text: str) -> dict[str, int]:
    found = _PART.findall(text)
    parts = {part: int(number) for part, number in found}
    rest = _PART.sub("", text).strip(" _,-")
    if rest or len(parts) != len(found):
        raise ConfigError(f"expected a subset of ti, tj, tn, ts, ci, cn, cs, each once and with a number, such as ti10tj50_cn4, found {text!r}")
    if "tj" in parts and "ti" not in parts:
        raise ConfigError(f"expected ti, the first frame, beside tj, the last, found {text!r}")
    for kinds in (("tn", "ts"), ("ci", "cn", "cs"), *((("ti", "tn"), ("ti", "ts")) if "tj" not in parts else ())):
        if sum(kind in parts for kind in kinds) > 1:
            raise ConfigError(f"expected only one of {', '.join(kinds)}, found {text!r}")
    return parts


def _chosen(parts: dict[str, int], kind: str, count: int, what: str) -> Sequence[int]:
    """Places that the parts of a kind (t or c) choose of so many."""
    first, last = parts.get(f"{kind}i", 0), count - 1
    if f"{kind}i" in parts:
        last = parts.get(f"{kind}j", first)
    if not 0 <= first <= last < count:
        raise ConfigError(f"expected {what} from 0 to {count - 1}, found {first} to {last}")
    span, spread, stride = last + 1 - first, parts.get(f"{kind}n"), parts.get(f"{kind}s")
    if spread is not None and not 0 < spread <= span:
        raise ConfigError(f"expected 1 to {span} {what} for {kind}n, found {spread}")
    if stride == 0:
        raise ConfigError(f"expected a stride above zero for {kind}s, found 0")
    if spread is not None:
        return [first + place * span // spread for place in range(spread)]
    return range(first, last + 1, stride or 1)
