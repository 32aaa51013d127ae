"""glTF 2.0 in one binary file (GLB): arrays in, arrays out; the scene itself is the caller's dictionary.

Format: Khronos glTF 2.0 specification, sections 3.6 (accessors, sparse ones included) and 4 (GLB container).
"""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from headcast.errors import FormatError
from headcast.store.files import replace_file

_MAGIC, _VERSION = 0x46546C67, 2
_JSON, _BINARY = 0x4E4F534A, 0x004E4942
_COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_CODES = {np.dtype(kind): code for code, kind in _COMPONENTS.items()}
_SHAPES = {"SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT2": (2, 2), "MAT3": (3, 3), "MAT4": (4, 4)}
_NAMES = {shape: name for name, shape in _SHAPES.items()}
_SPARSE_BELOW = 0.6
"""Share of rows that differ from zero below which an accessor stores only these."""

Target = Literal[34962, 34963]
VERTICES: Target = 34962
INDICES: Target = 34963


@dataclass
class GlbWriter:
    """Gathers arrays and pictures; `scene` is the rest of the glTF document."""

    scene: dict[str, Any] = field(default_factory=dict)
    _binary: bytearray = field(default_factory=bytearray)
    _views: list[dict[str, Any]] = field(default_factory=list)
    _accessors: list[dict[str, Any]] = field(default_factory=list)

    def array(self, values: np.ndarray, target: Target | None = None, bounds: bool = False) -> int:
        """Adds rows of numbers, vectors or matrices (row-major, as NumPy has them) and gives their accessor's index."""
        accessor: dict[str, Any] = {"bufferView": self._view(_column_major(values).tobytes(), target)}
        return self._accessor(accessor, values, bounds)

    def sparse_rows(self, values: np.ndarray) -> int:
        """Adds vertex rows of which most are zero; they are stored as they are where too many are not. With bounds."""
        rows = np.flatnonzero(np.any(values != 0, axis=1))
        if len(rows) > _SPARSE_BELOW * len(values):
            return self.array(values, VERTICES, bounds=True)
        rows = rows if len(rows) else np.zeros(1, np.int64)  # the format wants at least one
        sparse = {
            "count": len(rows),
            "indices": {"bufferView": self._view(rows.astype(np.uint32).tobytes()), "componentType": 5125},
            "values": {"bufferView": self._view(np.ascontiguousarray(values[rows]).tobytes())},
        }
        return self._accessor({"sparse": sparse}, values, bounds=True)

    def picture(self, encoded: bytes, mime_type: str) -> dict[str, Any]:
        """Adds an encoded picture and gives its entry for `images`."""
        return {"bufferView": self._view(encoded), "mimeType": mime_type}

    def write(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        document = {**self.scene, "bufferViews": self._views, "accessors": self._accessors, "buffers": [{"byteLength": len(self._binary)}]}
        text = json.dumps(document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        binary = bytes(self._binary) + b"\0" * (-len(self._binary) % 4)
        with replace_file(path) as temporary, open(temporary, "wb") as file:
            file.write(struct.pack("<3I", _MAGIC, _VERSION, 28 + len(text) + len(binary)))
            file.write(struct.pack("<2I", len(text), _JSON) + text)
            file.write(struct.pack("<2I", len(binary), _BINARY) + binary)

    def _view(self, content: bytes, target: Target | None = None) -> int:
        self._binary.extend(b"\0" * (-len(self._binary) % 4))
        view = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(content)}
        self._views.append(view if target is None else {**view, "target": target})
        self._binary.extend(content)
        return len(self._views) - 1

    def _accessor(self, accessor: dict[str, Any], values: np.ndarray, bounds: bool) -> int:
        accessor |= {"componentType": _CODES[values.dtype], "count": len(values), "type": _NAMES[values.shape[1:]]}
        if bounds:
            flat = values.reshape(len(values), -1)
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self._accessors.append(accessor)
        return len(self._accessors) - 1


def _column_major(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.swapaxes(1, 2) if values.ndim == 3 else values)


@dataclass(frozen=True)
class Glb:
    """A GLB file: its document, and its arrays on demand."""

    path: Path
    scene: dict[str, Any]
    _binary: bytes

    @classmethod
    def read(cls, path: Path) -> "Glb":
        """Raises `FormatError` for what is no GLB file with all of its data inside."""
        content = path.read_bytes()
        if len(content) < 20 or struct.unpack_from("<I", content)[0] != _MAGIC:
            raise FormatError(f"expected a binary glTF file (GLB), found something else: {path}")
        _, version, length = struct.unpack_from("<3I", content)
        if version != _VERSION or length > len(content):
            wrong = f"version {version}" if version != _VERSION else f"{len(content)} bytes of {length}"
            raise FormatError(f"expected a whole GLB file of version 2, found {wrong}: {path}")
        chunks, place = {}, 12
        while place + 8 <= length:
            size, kind = struct.unpack_from("<2I", content, place)
            chunks.setdefault(kind, content[place + 8 : place + 8 + size])
            place += 8 + size
        try:
            scene = json.loads(chunks.get(_JSON, b""))
        except ValueError as error:
            raise FormatError(f"expected JSON in the first chunk of {path}, found something else: {error}") from error
        return cls(path, scene, chunks.get(_BINARY, b""))

    def array(self, accessor: int) -> np.ndarray:
        """Rows of an accessor, matrices row-major; normalised integers as numbers −1…1 or 0…1."""
        entry = self._entry("accessors", accessor)
        kind, shape = _COMPONENTS.get(entry.get("componentType")), _SHAPES.get(entry.get("type", ""))
        if kind is None or shape is None:
            raise FormatError(f"expected a known type of accessor {accessor} in {self.path}, found {entry}")
        count = int(entry["count"])
        values = np.zeros((count, *shape), kind)
        if "bufferView" in entry:
            values = self._rows(entry["bufferView"], entry.get("byteOffset", 0), kind, count, shape).copy()
        if "sparse" in entry:
            sparse = entry["sparse"]
            indices = sparse["indices"]
            rows = self._rows(
                indices["bufferView"], indices.get("byteOffset", 0), _COMPONENTS[indices["componentType"]], sparse["count"], ()
            )  # fmt: skip
            values[rows] = self._rows(sparse["values"]["bufferView"], sparse["values"].get("byteOffset", 0), kind, sparse["count"], shape)
        if entry.get("normalized"):
            values = np.maximum(values.astype(np.float32) / np.iinfo(kind).max, -1)
        return values.swapaxes(1, 2) if len(shape) == 2 else values

    def picture(self, image: int) -> bytes:
        """The encoded bytes of a picture that lies in the file."""
        entry = self._entry("images", image)
        if "bufferView" not in entry:
            raise FormatError(f"expected picture {image} inside {self.path}, found it beside: {entry.get('uri', '')[:80]}")
        return self._bytes(entry["bufferView"])

    def _entry(self, kind: str, index: int) -> dict[str, Any]:
        entries = self.scene.get(kind, [])
        if not 0 <= index < len(entries):
            raise FormatError(f"expected {kind}[{index}] in {self.path}, found {len(entries)} of them")
        return entries[index]

    def _bytes(self, view: int) -> bytes:
        entry = self._entry("bufferViews", view)
        first = entry.get("byteOffset", 0)
        if entry.get("buffer", 0) != 0 or first + entry["byteLength"] > len(self._binary):
            raise FormatError(f"expected bufferViews[{view}] of {self.path} inside the file, found it beyond its {len(self._binary)} bytes of data")
        return self._binary[first : first + entry["byteLength"]]

    def _rows(self, view: int, offset: int, kind: type, count: int, shape: tuple[int, ...]) -> np.ndarray:
        size = np.dtype(kind).itemsize * int(np.prod(shape, dtype=int))
        stride = self._entry("bufferViews", view).get("byteStride", size)
        content = self._bytes(view)
        if count and offset + (count - 1) * stride + size > len(content):
            raise FormatError(f"expected {count} rows in bufferViews[{view}] of {self.path}, found {len(content)} bytes")
        flat = np.ndarray((count, size), np.uint8, content, offset, (stride, 1))
        return np.ascontiguousarray(flat).view(kind).reshape(count, *shape)
