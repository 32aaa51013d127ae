"""The camera file: which recordings belong together, and what is known of the camera of each. Headcast's own format; see docs/formats.md."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from headcast.capture.camera_entry import CameraFile, camera_of_entry, entry_of_camera
from headcast.capture.written import a_list, positive, refuse_unknown, short
from headcast.errors import ConfigError, FormatError, InputError
from headcast.store import read_json, write_json

__all__ = ["KIND", "SCHEMA", "CameraFile", "CameraFiles"]

KIND = "headcast cameras"
SCHEMA = 1
_KEYS = {"kind", "schema", "unit_m", "fps", "cameras"}


@dataclass(frozen=True)
class CameraFiles:
    """All cameras of a recording."""

    folder: Path
    """What names of pictures are relative to."""
    cameras: tuple[CameraFile, ...]
    unit_m: float | None = 1.0
    """Metres per unit of the positions; None where nobody knows it."""
    fps: float | None = None
    """Of pictures, which have no clock."""

    def camera(self, name: str) -> CameraFile:
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise InputError(f"expected one of the cameras {', '.join(repr(camera.name) for camera in self.cameras)}, found {name!r}, in {self.folder}")

    def subset(self, cameras: Sequence[int], frames: Sequence[int] | None = None) -> "CameraFiles":
        """Some of the cameras, and some of their frames (counted from zero); a frame keeps its time, and its number in `CameraFile.frames`.

        Raises:
            ConfigError: there is no such camera or frame.
        """
        from headcast.capture.camera_source import recorded_frames

        beyond = [camera for camera in cameras if not 0 <= camera < len(self.cameras)]
        if beyond or not cameras:
            raise ConfigError(f"expected some of the cameras 0 to {len(self.cameras) - 1}, found {short(beyond or list(cameras))}, of {self.folder}")
        chosen = tuple(self.cameras[camera] for camera in cameras)
        if frames is not None:
            chosen = tuple(camera.subset(frames, recorded_frames(camera, self)) for camera in chosen)
        return replace(self, cameras=chosen)

    def save(self, path: Path) -> None:
        """Writes the camera file; names of pictures become absolute where they do not lie beside it."""
        fps = {} if self.fps is None else {"fps": self.fps}
        cameras = [entry_of_camera(camera, self.folder, path.parent) for camera in self.cameras]
        write_json(path, {"kind": KIND, "schema": SCHEMA, "unit_m": self.unit_m, **fps, "cameras": cameras})

    @classmethod
    def load(cls, path: Path) -> "CameraFiles":
        """Reads a camera file.

        Raises:
            FormatError: something in it is missing, unknown or impossible; the message names the camera and the value.
        """
        found = read_json(path)
        if not isinstance(found, dict) or found.get("kind") != KIND:
            raise FormatError(f'expected a camera file with "kind": "{KIND}", found {short(found)}, in {path}')
        if found.get("schema") != SCHEMA:
            raise FormatError(f"expected schema {SCHEMA} of camera files, found {found.get('schema')!r}; a newer Headcast may read it: {path}")
        refuse_unknown(found, _KEYS, f"the camera file {path}")
        cameras = tuple(camera_of_entry(entry, number, path) for number, entry in enumerate(a_list(found.get("cameras"), "cameras", path)))
        listed = [camera.name for camera in cameras]
        twice = sorted({name for name in listed if listed.count(name) > 1})
        if twice:
            raise FormatError(f"expected every camera to have a name of its own, found {twice} more than once, in {path}")
        unit = found.get("unit_m", 1.0)
        return cls(
            path.parent,
            cameras,
            None if unit is None else positive(unit, "unit_m", path),
            positive(found["fps"], "fps", path) if "fps" in found else None,
        )
