"""PLY files (Turk 1994), as far as points with plain properties go: ASCII and both byte orders."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from headcast.errors import FormatError

_KINDS = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4", "double": "f8",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip


def ply_header(path: Path) -> tuple[dict[str, int], set[str]]:
    """Count of every element of a PLY file, and the names of its vertices' properties."""
    elements, _, _ = _header(path)
    vertex = next((fields for name, _, fields in elements if name == "vertex"), [])
    return {name: count for name, count, _ in elements}, {name for _, name in vertex}


def _header(path: Path) -> tuple[list[tuple[str, int, list[tuple[str, str]]]], str, int]:
    """Elements with count and (type, name) of their properties, the encoding, and where the data begin."""
    with open(path, "rb") as file:
        content = file.read(65536)
    end = content.find(b"end_header")
    lines = content[: max(end, 0)].decode("latin-1").splitlines()
    if not lines or lines[0].strip() != "ply":
        raise FormatError(f"expected a PLY file, found something else: {path}")
    elements: list[tuple[str, int, list[tuple[str, str]]]] = []
    encoding = ""
    try:
        for line in lines[1:]:
            words = line.split()
            if words[:1] == ["format"]:
                encoding = words[1]
            elif words[:1] == ["element"]:
                elements.append((words[1], int(words[2]), []))
            elif words[:1] == ["property"]:
                elements[-1][2].append(("list", words[-1]) if words[1] == "list" else (_KINDS[words[1]], words[2]))
    except (IndexError, KeyError, ValueError) as error:
        raise FormatError(f"expected a PLY header, found {line!r} ({error}) in {path}") from error
    return elements, encoding, content.index(b"\n", end) + 1


def ply_vertices(path: Path) -> dict[str, Float[ndarray, "n"]]:
    """The vertices' properties by name; nothing else of the file is read."""
    elements, encoding, start = _header(path)
    if not elements or elements[0][0] != "vertex" or any(kind == "list" for kind, _ in elements[0][2]):
        raise FormatError(f"expected vertices with plain properties as the first element, found {[name for name, _, _ in elements]}, in {path}")
    _, count, fields = elements[0]
    names = [name for _, name in fields]
    if encoding == "ascii":
        with open(path, "rb") as file:
            file.seek(start)
            rows = [file.readline().split() for _ in range(count)]
        try:
            table = np.array(rows, np.float64).reshape(count, len(names))
        except ValueError as error:
            raise FormatError(f"expected {count} rows of {len(names)} numbers, found something else ({error}), in {path}") from error
        return {name: table[:, k] for k, name in enumerate(names)}
    order = ">" if encoding == "binary_big_endian" else "<"
    kinds = np.dtype([(name, order + kind) for kind, name in fields])
    content = path.read_bytes()[start : start + count * kinds.itemsize]
    if len(content) < count * kinds.itemsize:
        raise FormatError(f"expected {count} points, found data for {len(content) // max(kinds.itemsize, 1)}; the file was cut short: {path}")
    rows = np.frombuffer(content, kinds, count)
    return {name: rows[name].astype(np.float64) for name in names}
