"""`headcast doctor`: what is installed, which back ends work, which models were found, what is missing and how to get it."""

import os
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

import headcast
from headcast.cli.main import OPENCV_WITHOUT_WINDOWS
from headcast.errors import HeadcastError

State = Literal["works", "absent", "broken"]
_MARKS = {"works": "[green]✓[/green]", "absent": "[yellow]–[/yellow]", "broken": "[red]✗[/red]"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: State
    """absent: not there, and the main job works without it. broken: the main job does not work without it."""
    found: str
    remedy: str = ""
    """How to get it, or what to do."""


def doctor() -> int:
    """Say what is installed, which back ends work, what is missing and how to get it.

    The exit code is 0 if the main job, tracking a video with the open head, works.
    """
    console = Console(highlight=False)
    findings: list[Finding] = []
    for title, examine in _SECTIONS.items():
        console.print(f"\n[bold]{title}[/bold]")
        table = Table.grid(padding=(0, 2))
        for finding in examine():
            findings.append(finding)
            said = Text(finding.found)
            if finding.remedy:
                said.append(f"\n{finding.remedy}", style="dim")
            table.add_row(f"  {_MARKS[finding.state]}", finding.subject, said)
        console.print(table)
    broken = [finding.subject for finding in findings if finding.state == "broken"]
    if broken:
        console.print(f"\n[red]The main job does not work:[/red] see {', '.join(broken)}.")
        return 2
    console.print("\n[green]The main job works.[/green] Next: headcast demo")
    return 0


def _machine() -> Iterator[Finding]:
    version = platform.python_version()
    fits = (3, 10) <= tuple(int(n) for n in version.split(".")[:2]) <= (3, 12)
    yield Finding("Python", "works" if fits else "broken", version, "" if fits else "Headcast needs Python 3.10, 3.11 or 3.12")
    yield Finding("system", "works", f"{platform.system()} {platform.machine()}, {_usable_cores()} cores")


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _packages() -> Iterator[Finding]:
    """Everything the package's own metadata asks for; what an extra asks for may be absent."""
    yield Finding("headcast", "works", headcast.__version__)
    for line in metadata.requires("headcast") or []:
        name = re.match(r"[A-Za-z0-9._-]+", line).group()
        extra = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", line)
        if extra is not None and extra.group(1) in ("test", "dev"):
            continue
        try:
            yield Finding(name, "works", metadata.version(name))
        except metadata.PackageNotFoundError:
            if extra is None:
                yield Finding(name, "broken", "not installed", "pip install -c constraints.txt .")
            else:
                yield Finding(name, "absent", "not installed", f"pip install 'headcast[{extra.group(1)}]'")


def _back_ends() -> Iterator[Finding]:
    yield _tried("OpenCV", _opencv, OPENCV_WITHOUT_WINDOWS)
    yield _tried("kernels on the CPU", _rasterizer, "reinstall with: pip install -c constraints.txt .")
    yield _cuda()
    yield _tried("face landmarks", _landmarks, "mediapipe must be 0.10.21, the last release that carries its models")
    yield from _codecs()


def _tried(subject: str, trial: Callable[[], str], remedy: str) -> Finding:
    """Runs a trial of something that the main job needs; whatever it raises is shown, not raised: finding that out is the purpose."""
    try:
        return Finding(subject, "works", trial())
    except Exception as error:
        return Finding(subject, "broken", f"{type(error).__name__}: {error}", remedy)


def _opencv() -> str:
    import cv2

    return f"{cv2.__version__}"


def _rasterizer() -> str:
    import numba
    import numpy as np

    from headcast.render import rasterize_arrays

    triangle = np.array([[1, 1, 1], [1, 7, 1], [7, 1, 1]], np.float32)
    face, _, _ = rasterize_arrays(triangle, np.array([[0, 1, 2]], np.int32), 8, 8)
    if not (face[2, 2] == 0 and face[7, 7] == -1):
        raise HeadcastError(f"a test triangle was drawn wrongly: {face.tolist()}")
    return f"drew a test triangle; {numba.get_num_threads()} threads, {numba.threading_layer()}"


def _cuda() -> Finding:
    import torch
    from numba import cuda

    if torch.cuda.is_available() and cuda.is_available():
        return Finding("kernels on a GPU", "works", torch.cuda.get_device_name())
    why = "torch sees no GPU" if not torch.cuda.is_available() else "numba.cuda sees no GPU"
    return Finding("kernels on a GPU", "absent", f"{why}; everything runs on the CPU", "with an NVIDIA GPU: pip install 'headcast[cuda]'")


def _landmarks() -> str:
    """Detects the face in the public-domain portrait that Matplotlib carries."""
    import numpy as np

    from headcast.cli.demo import portrait
    from headcast.perceive.faces import FaceFinder, crop
    from headcast.perceive.mesh import MediapipeMesh

    image = portrait()
    boxes = FaceFinder().find(image)
    detector = MediapipeMesh()
    mesh = detector(crop(image, boxes[0], detector.crop_px)) if boxes else None
    if mesh is None or mesh.presence < 0.5:
        raise HeadcastError("the face in a test portrait was not found")
    return f"{len(np.asarray(mesh.points))} found in a test portrait"


def _codecs() -> Iterator[Finding]:
    import av

    for name in ("h264", "hevc", "vp9", "av1", "mpeg4", "gif"):
        if not _has_codec(av, name, "r"):
            yield Finding(f"reading {name}", "absent", "not in this PyAV", "pip install -c constraints.txt .")
    writers = [name for name in ("libx264", "mpeg4") if _has_codec(av, name, "w")]
    if writers:
        yield Finding("video", "works", f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}, writes {' and '.join(writers)}")
    else:
        yield Finding("video", "broken", "this PyAV writes neither H.264 nor MPEG-4", "pip install --force-reinstall -c constraints.txt av")


def _has_codec(av, name: str, mode: str) -> bool:
    try:
        av.codec.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _models() -> Iterator[Finding]:
    from headcast.heads.library import ASSETS, available_heads, model_folders
    from headcast.heads.open_head import open_head

    def shipped() -> str:
        head = open_head()
        size = f"{len(head.template)} vertices, {head.identity_count} identity modes, {head.expression_count} expressions"
        return f"{size}; {head.about.get('licence', 'licence not stated')}"

    yield _tried("open head (shipped)", shipped, "reinstall with: pip install -c constraints.txt .")
    for name, path in available_heads().items():
        if name == "flame":
            continue  # stands for whichever FLAME there is; each has its own line
        asset = ASSETS[name]
        if path is not None:
            yield Finding(name, "works", f"{path} ({asset.licence})")
        else:
            yield Finding(name, "absent", f"not found; {asset.licence}", f"{' or '.join(asset.files)} from {asset.source}")
    yield Finding("looked in", "works", " and ".join(str(folder) for folder in model_folders()), "more folders: set HEADCAST_MODELS")


_SECTIONS: dict[str, Callable[[], Iterator[Finding]]] = {
    "Machine": _machine,
    "Packages": _packages,
    "Back ends": _back_ends,
    "Head models": _models,
}
