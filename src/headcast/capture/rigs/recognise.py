"""Which layout a folder or file has."""

from pathlib import Path

from headcast.capture.cameras import KIND, CameraFiles
from headcast.capture.rigs.colmap import is_colmap, read_colmap
from headcast.capture.rigs.groups import PicturesAre
from headcast.capture.rigs.nersemble import is_nersemble, read_nersemble
from headcast.capture.rigs.record3d import is_record3d, read_record3d
from headcast.capture.rigs.rgbd import is_rgbd, read_rgbd
from headcast.capture.rigs.transforms import is_transforms, read_transforms
from headcast.errors import FormatError
from headcast.store import read_json

CAMERA_FILE = "cameras.json"
LAYOUTS = (
    "Headcast's camera file (cameras.json)",
    "numbered pictures of colour and depth with cameras.json",
    "transforms.json",
    "a sequence of NeRSemble",
    "a model of COLMAP",
    "a recording of Record3D (.r3d)",
)

_READERS = (
    (is_rgbd, lambda path, _: read_rgbd(path)),
    (is_transforms, read_transforms),
    (is_nersemble, lambda path, _: read_nersemble(path)),
    (is_colmap, read_colmap),
    (is_record3d, lambda path, _: read_record3d(path)),
)


def open_cameras(path: str | Path, pictures_are: PicturesAre = "auto") -> CameraFiles | None:
    """The cameras of a recording, or None where the path is a plain recording that says nothing of its cameras.

    Known are the `LAYOUTS`. `pictures_are` says what COLMAP's and NeRF's pictures in one folder are, where that cannot be told.

    Raises:
        FormatError: it looks like one of these and is broken, or it is a JSON file and none of these.
        InputError: pictures are missing, or do not fit together.
        MissingExtraError: a package is needed to read it.
    """
    path = Path(path)
    file = path / CAMERA_FILE if path.is_dir() else path
    if file.suffix == ".json" and file.is_file() and _is_ours(file):
        return CameraFiles.load(file)
    for recognised, read in _READERS:
        if recognised(path):
            return read(path, pictures_are)
    if path.suffix == ".json" and path.is_file():
        raise FormatError(f"expected one of: {'; '.join(LAYOUTS)}; found a JSON file that is none of them: {path}")
    return None


def _is_ours(file: Path) -> bool:
    found = read_json(file)
    return isinstance(found, dict) and found.get("kind") == KIND
