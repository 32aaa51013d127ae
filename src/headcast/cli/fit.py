"""`headcast fit`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from headcast.cli.progress import ProgressBar
from headcast.fit.config import FitConfig
from headcast.fit.run import FitRequest, fit_head
from headcast.store import FitPaths, read_json


def fit(
    head: tyro.conf.Positional[Path],
    out: Path,
    config: Annotated[FitConfig, tyro.conf.arg(name="")] = FitConfig(),  # noqa: B008
    model: str = "open",
    overwrite: bool = False,
) -> None:
    """Lay a head model onto a static head: scan, cloud, 3D Gaussians, posed pictures, depth map.

    Args:
        head: Mesh (OBJ, PLY, GLB, glTF, STL), cloud (PLY, XYZ, npz), 3D Gaussians (PLY), depth map (PNG of 16 bits, npy), or a folder of
            pictures with camera_info.json or transforms.json.
        out: Folder to write to.
        model: Head model: 'open' (shipped), a name that 'headcast doctor' lists, or a path.
        overwrite: Remove what an earlier fit wrote to the folder and start anew.
    """
    with ProgressBar() as bar:
        tell(fit_head(FitRequest(head, model, config), out, overwrite=overwrite, readers=(bar,)))


def tell(paths: FitPaths) -> None:
    """Says how it went, where things are and what may come next."""
    report = read_json(paths.report_json)
    console = Console(highlight=False, soft_wrap=True)
    face = report["distances_mm"]["scan_to_head"]["face"]
    marks = report["distances_mm"]["landmarks"]
    said = (
        f"the scan's face lies {face['mean_mm']:.2f} mm from the head (mean)" if face else f"landmarks lie {marks['median_mm']:.1f} mm off (median)"
    )
    console.print(f"{said}; {report['total_seconds']:.0f} s", markup=False)
    for note in report["warnings"]:
        console.print(f"note: {note}", markup=False)
    console.print(f"report: {paths.report_html}\nhead:   {paths.registered}\ntrack:  {paths.track}", markup=False)
    console.print(f"next:   headcast view {paths.root}   or   headcast export {paths.root} --to glb", markup=False)
