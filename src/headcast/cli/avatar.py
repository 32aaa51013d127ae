"""`headcast avatar`."""

from pathlib import Path

import tyro
from rich.console import Console

from headcast.avatars.build import AvatarRequest, KindName, build_avatar
from headcast.avatars.gaussian import GaussianConfig
from headcast.avatars.mesh.build import MeshConfig
from headcast.cli.progress import ProgressBar
from headcast.store import AvatarPaths, read_json


def avatar(
    source: tyro.conf.Positional[Path],
    out: Path,
    kind: KindName = "mesh",
    split: Path | None = None,
    largest_px: int = 512,
    resume: bool = False,
    overwrite: bool = False,
    mesh: MeshConfig = MeshConfig(),  # noqa: B008
    gaussian: GaussianConfig = GaussianConfig(),  # noqa: B008
) -> None:
    """Build a photoreal head that can be posed, from a finished run or a recording.

    Args:
        source: Folder of a finished run, or a recording, which is tracked first.
        out: Folder to write the avatar to.
        kind: What it is made of. mesh: a textured mesh. gaussian: soft splats that ride on the mesh; looks better, takes longer.
        split: JSON file with the frames that train ("train") and that are held out ("val"). Without it the last 350 frames of a clip of 1,000
            or more are held out, of a shorter one the last fifth.
        largest_px: Longer side above which pictures are made smaller for training.
        resume: Go on with an avatar that was interrupted; settings must be the same.
        overwrite: Remove what an earlier build wrote to the folder and start anew.
        mesh: How --kind mesh is built.
        gaussian: How --kind gaussian is built.
    """
    request = AvatarRequest(source, kind, split, largest_px, mesh, gaussian)
    with ProgressBar() as bar:
        _, paths = build_avatar(request, out, resume=resume, overwrite=overwrite, readers=(bar,))
    tell(paths, source)


def tell(paths: AvatarPaths, source: Path) -> None:
    """Says how it went, where things are and what may come next."""
    facts = read_json(paths.about)["details"]
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"built from {facts['training_frames']} frames, {facts['held_out_frames']} held out, in {facts['seconds']:.0f} s "
        f"({facts['processor_seconds']:.0f} s of processor time), {facts['peak_memory_mb']:.0f} MB",
        markup=False,
    )
    run = paths.run if paths.run.is_dir() else source
    console.print(f"avatar: {paths.root}\nnext:   headcast evaluate avatar {paths.root} {run}", markup=False)
