"""`about.json`: what a folder is, which versions made it, and from what."""

import hashlib
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import headcast
from headcast.errors import FormatError, InputError
from headcast.store.files import read_json, sha256_of, write_json

_PACKAGES = ("av", "mediapipe", "numba", "numpy", "scipy", "torch")


@dataclass(frozen=True)
class InputFile:
    """A file or folder that something was made from."""

    path: Path
    byte_count: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "InputFile":
        """Reads the whole file; of a folder, the names and contents of the files directly in it."""
        path = path.resolve()
        if path.is_dir():
            files = sorted(child for child in path.iterdir() if child.is_file())
            listing = "".join(f"{child.name} {sha256_of(child)}\n" for child in files)
            return cls(path, sum(child.stat().st_size for child in files), hashlib.sha256(listing.encode()).hexdigest())
        return cls(path, path.stat().st_size, sha256_of(path))

    def same_contents(self, other: "InputFile") -> bool:
        """Whether both hold the same bytes, wherever they lie."""
        return self.sha256 == other.sha256


@dataclass(frozen=True)
class About:
    """What a folder says of itself."""

    kind: str
    """"capture", "track", "synthetic" …"""
    schema: int
    """Number of the folder's layout; readers know this number and every smaller one."""
    inputs: Mapping[str, InputFile]
    details: Mapping[str, Any]
    """Whatever else the kind of folder has to say, as JSON values."""

    def save(self, path: Path) -> None:
        write_json(
            path,
            {
                "kind": self.kind,
                "schema": self.schema,
                "made_by": {"headcast": headcast.__version__, "python": platform.python_version(), **_package_versions()},
                "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "inputs": {n: {"path": str(i.path), "byte_count": i.byte_count, "sha256": i.sha256} for n, i in self.inputs.items()},
                "details": dict(self.details),
            },
        )

    @classmethod
    def load(cls, path: Path, kind: str, newest_schema: int) -> "About":
        """Reads what `save` wrote; raises `InputError` where the folder is of another kind and `FormatError` where it is newer or broken."""
        if not path.is_file():
            raise InputError(f"expected a folder that Headcast made (kind {kind!r}); there is no {path.name} in {path.parent}")
        value = read_json(path)
        try:
            about = cls(
                kind=str(value["kind"]),
                schema=int(value["schema"]),
                inputs={n: InputFile(Path(i["path"]), int(i["byte_count"]), str(i["sha256"])) for n, i in value["inputs"].items()},
                details=dict(value["details"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"expected kind, schema, inputs and details, found {value!r:.200}, in {path}") from error
        if about.kind != kind:
            raise InputError(f"expected a folder of kind {kind!r}, found one of kind {about.kind!r}: {path.parent}")
        if about.schema > newest_schema:
            known = f"this Headcast {headcast.__version__} knows up to {newest_schema}"
            raise FormatError(f"the folder has layout {about.schema}, {known}: update Headcast to read {path.parent}")
        return about


def _package_versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
