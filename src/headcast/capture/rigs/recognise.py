"""Which layout a folder or file has."""

from pathlib import Path

from headcast.capture.cameras import KIND, CameraFiles
from headcast.store import read_json

CAMERA_FILE = "cameras.json"


def open_cameras(path: str | Path) -> CameraFiles | None:
    """The cameras of a recording, or None where the path is a plain recording that says nothing of its cameras.

    Known are Headcast's camera file, and a folder that holds one as `cameras.json`.

    Raises:
        FormatError: it looks like one of these and is broken.
    """
    path = Path(path)
    file = path / CAMERA_FILE if path.is_dir() else path
    if file.suffix == ".json" and file.is_file() and _is_ours(file):
        return CameraFiles.load(file)
    return None


def _is_ours(file: Path) -> bool:
    found = read_json(file)
    return isinstance(found, dict) and found.get("kind") == KIND
