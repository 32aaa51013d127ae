"""`headcast demo`."""

import time
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image
from rich.console import Console

from headcast.cli.progress import ProgressBar
from headcast.errors import InputError
from headcast.evaluate import Truth, evaluate_track
from headcast.evaluate.synth import MotionConfig, SynthConfig, prepare_folder, synthetic_clip, write_clip
from headcast.export import default_place, export_track
from headcast.heads import open_head
from headcast.solve.step import follow
from headcast.store import replace_file
from headcast.track.run import RunRequest, track_recording

_CLIP = SynthConfig(
    seed=5, frames=48, size=(320, 320), identity_scale=0.8, motion=MotionConfig(yaw_deg=30.0, pitch_deg=8.0, roll_deg=5.0), texture_px=512
)


def demo(out: Path = Path("headcast-demo"), overwrite: bool = False) -> None:
    """Run the whole chain on a photo and on a video that it renders itself.

    Needs nothing but the installed package, opens nothing, and takes under two minutes on two cores.

    Args:
        out: Folder to write everything to.
        overwrite: Replace an earlier demo in the folder.
    """
    if out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"expected an empty folder. Use --overwrite to replace an earlier demo in it, or --out for another one: {out}")
    began = time.perf_counter()
    console = Console(highlight=False, soft_wrap=True)
    with ProgressBar() as bar:
        console.print("1. a photo: Grace Hopper, official Navy portrait, public domain (from Matplotlib's sample data)")
        photo = out / "photo" / "grace_hopper.png"
        with replace_file(photo) as temporary:
            Image.fromarray(portrait()).save(temporary)
        from_photo = track_recording(RunRequest(photo), out / "photo" / "run", overwrite=overwrite, readers=(bar,))

        console.print(f"2. a video: {_CLIP.frames} frames of a head that was rendered just now, every number known")
        clip_folder = prepare_folder(out / "video" / "synthetic", overwrite)
        clip = follow(write_clip(synthetic_clip(open_head(), _CLIP), clip_folder.root), bar)
        from_video = track_recording(RunRequest(clip.video), out / "video" / "run", overwrite=overwrite, readers=(bar,))
        arrays = default_place(from_video.paths.root, "arrays")
        follow(export_track(from_video.track, from_video.model, "arrays", arrays, overwrite=overwrite), bar)
        found = evaluate_track(from_video.track, from_video.model, Truth.load(clip.truth))
    console.print(f"\ndone in {time.perf_counter() - began:.0f} s. The video against the truth:")
    console.print(f"  rotation {found.rotation_deg:.2f}°, landmarks {found.landmarks_px:.2f} px, visible face {found.surface_mm:.2f} mm (medians)")
    for title, run in (("photo", from_photo), ("video", from_video)):
        console.print(f"{title}:\n  report  {run.paths.report_html}\n  overlay {run.paths.overlay}")
    console.print(f"  arrays  {arrays}\nnext: headcast view {from_video.paths.root}   or   headcast track YOUR_VIDEO --out RUN")


def portrait() -> UInt8[ndarray, "600 512 3"]:
    """Rear Admiral Grace Hopper, official Navy portrait, public domain; Matplotlib carries it among its sample data."""
    from matplotlib import cbook

    return np.asarray(Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB"))
