"""Folders of named arrays on disk: atomic writes, checked reads, every file name in one class."""

from headcast.store.about import About, InputFile
from headcast.store.files import (
    Axis,
    check_arrays,
    half_written,
    read_arrays,
    read_json,
    replace_file,
    sha256_of,
    write_arrays,
    write_json,
    write_text,
)
from headcast.store.paths import AvatarEvaluationPaths, AvatarPaths, CapturePaths, FitPaths, ParsingPaths, RunPaths, SyntheticPaths
from headcast.store.ply import ply_header, ply_vertices
from headcast.store.spans import frame_spans

__all__ = [
    "About",
    "AvatarEvaluationPaths",
    "AvatarPaths",
    "Axis",
    "CapturePaths",
    "FitPaths",
    "InputFile",
    "ParsingPaths",
    "RunPaths",
    "SyntheticPaths",
    "check_arrays",
    "frame_spans",
    "half_written",
    "ply_header",
    "ply_vertices",
    "read_arrays",
    "read_json",
    "replace_file",
    "sha256_of",
    "write_arrays",
    "write_json",
    "write_text",
]
