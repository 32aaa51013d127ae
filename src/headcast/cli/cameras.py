"""`headcast cameras`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from headcast.capture.cameras import CameraFiles
from headcast.capture.rigs import LAYOUTS, RigChoice
from headcast.capture.rigs.summary import CameraSummary, summarise
from headcast.errors import InputError


def cameras(
    recording: tyro.conf.Positional[Path],
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    choice: Annotated[RigChoice, tyro.conf.arg(name="")] = RigChoice(),  # noqa: B008
    overwrite: bool = False,
) -> None:
    """Show what is known of the cameras of a recording, and write it as a camera file.

    Args:
        recording: Camera file, NeRSemble sequence, COLMAP model, transforms.json, Record3D recording, or numbered pictures of colour and depth.
        out: Camera file to write (NAME.json), which headcast track takes.
        overwrite: Replace an earlier file.
    """
    found = choice.open(recording)
    if found is None:
        raise InputError(f"expected one of: {'; '.join(LAYOUTS)}; found none of them at {recording}")
    lines = summarise(found)
    if out is not None:
        _refuse_to_replace(out, overwrite)
        found.save(out)
    console = Console(highlight=False, soft_wrap=True)
    console.print(_headline(found, lines), markup=False)
    console.print(_table(found, lines))
    if out is not None:
        console.print(f"wrote {out}", markup=False)


def _refuse_to_replace(out: Path, overwrite: bool) -> None:
    if out.suffix != ".json":
        raise InputError(f"expected the name of a camera file to end in .json, found {out.name!r}")
    if out.is_dir() or (out.exists() and not overwrite):
        raise InputError(f"expected to write a new file, found one. Use --overwrite to replace it: {out}")


def _headline(files: CameraFiles, lines: list[CameraSummary]) -> str:
    counts = sorted({line.frame_count for line in lines})
    frames = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    unit = {None: "of unknown unit", 1.0: "in metres"}.get(files.unit_m, f"in units of {files.unit_m} m")
    posed = f"positions {unit}" if any(line.pose_count for line in lines) else "poses unknown"
    return f"{len(lines)} {'camera' if len(lines) == 1 else 'cameras'}, {frames} {'frame' if frames == '1' else 'frames'}, {posed}"


def _table(files: CameraFiles, lines: list[CameraSummary]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    unit = " m" if files.unit_m else ""
    for title in ("camera", "size", "frames", "focal px", "distortion", "pose", "distance", "also"):
        table.add_column(title, no_wrap=True)
    for line in lines:
        pose = {0: "to be solved", 1: "still"}.get(line.pose_count, "per frame")
        table.add_row(
            line.name,
            f"{line.size[1]}×{line.size[0]}",
            str(line.frame_count),
            "to be solved" if line.focal_px is None else f"{line.focal_px[0]:.1f} {line.focal_px[1]:.1f}",
            line.distortion or "none",
            pose,
            "" if line.distance is None else f"{line.distance * (files.unit_m or 1):.3f}{unit}",
            ", ".join(line.extras),
        )
    return table
