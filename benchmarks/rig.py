"""Renders a rig of cameras around a synthetic head, tracks it without some of them, and looks at the result from those that were held out."""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Bool, Float

from headcast.capture import open_source
from headcast.capture.cameras import CameraFiles
from headcast.evaluate.synth import SynthConfig, prepare_folder, synthetic_clip, write_clip
from headcast.evaluate.truth import Truth
from headcast.geometry import Camera, Transform, vertex_normals
from headcast.heads import open_head
from headcast.render import render_head
from headcast.solve.step import follow
from headcast.store import SyntheticPaths
from headcast.track.config import TrackConfig
from headcast.track.run import Run, RunRequest, track_recording

HELD_OUT = ("camera_03", "camera_08")
_MM = 1000


def clip_of(out: Path, cameras: int, frames: int, seed: int) -> SyntheticPaths:
    """A rig that was rendered before, or a new one."""
    if not (out / "truth.npz").is_file():
        prepare_folder(out, overwrite=True)
        config = SynthConfig(seed=seed, frames=frames, fps=5.0, size=(256, 256), cameras=cameras)
        follow(write_clip(synthetic_clip(open_head(), config), out))
    return SyntheticPaths(out)


def without(clip: SyntheticPaths, names: tuple[str, ...], count: int | None = None) -> Path:
    """A camera file beside the clip that leaves some cameras out, and of the others takes the first `count`."""
    files = CameraFiles.load(clip.cameras)
    kept = tuple(camera for camera in files.cameras if camera.name not in names)[:count]
    place = clip.root / f"cameras_{len(kept)}.json"
    replace(files, cameras=kept).save(place)
    return place


def vertex_errors_mm(run: Run, truth: Truth) -> tuple[float, float, float]:
    """Median error of visible face vertices in the world (no alignment), of it what lies along the normal, and the 90 % limit."""
    found = run.track.head(run.model).posed(run.track.pose()).vertices.numpy()
    off = found - truth.vertices
    normals = vertex_normals(torch.from_numpy(truth.vertices), run.model.faces).numpy()
    counted = truth.visible & truth.face_region
    whole, along = np.linalg.norm(off, axis=-1)[counted], np.abs((off * normals).sum(-1))[counted]
    return tuple(float(_MM * value) for value in (np.median(whole), np.median(along), np.percentile(whole, 90)))


def novel_views_db(run: Run, clip: SyntheticPaths, names: tuple[str, ...], frames: list[int]) -> float:
    """PSNR inside the face of the tracked, textured, lit head in cameras that tracking never saw; median over pictures."""
    files, model, found = CameraFiles.load(clip.cameras), run.model, []
    face = model.regions["face"].numpy()[model.faces.numpy()].all(1)
    head, albedo = run.track.head(model), torch.from_numpy(run.albedo)
    for name in names:
        known = files.camera(name)
        pose = Transform.from_matrix(torch.from_numpy(known.camera_from_world[0]).float())
        camera = Camera(torch.from_numpy(known.focal_px).float(), torch.from_numpy(known.center_px).float(), known.size, pose)
        for frame in open_source(Path(f"{clip.cameras}#{name}")).select(frames):
            mesh = head.posed(run.track.pose(frame.frame_idx))
            drawn = render_head(mesh, camera, albedo, run.track.light, model.uv, model.uv_faces)
            shown = drawn.face.numpy()
            inside: Bool[np.ndarray, "height width"] = (shown >= 0) & face[np.maximum(shown, 0)]
            picture: Float[np.ndarray, "height width 3"] = drawn.color.clamp(0, 1).numpy()
            error = ((picture - frame.image / 255)[inside] ** 2).mean()
            found.append(-10 * np.log10(error))
    return float(np.median(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--seed", type=int, default=30)
    parser.add_argument("--scaling", action="store_true", help="also time fast mode with fewer cameras and moments, and plot it")
    arguments = parser.parse_args()
    clip = clip_of(
        arguments.out / f"rig_{arguments.cameras}_{arguments.frames}_{arguments.seed}", arguments.cameras, arguments.frames, arguments.seed
    )
    truth = Truth.load(clip.truth)
    held_out = tuple(name for name in HELD_OUT if int(name[-2:]) < arguments.cameras)
    source = without(clip, held_out)
    print("| offsets | visible vertices, median (mm) | along the normal | 90 % below | held-out cameras (dB) | s per moment |")
    print("|---|---|---|---|---|---|")
    for mode in ("on", "off"):
        start = time.perf_counter()
        run = track_recording(RunRequest(source, config=TrackConfig(offsets=mode)), clip.root / f"run_{mode}", overwrite=True)
        seconds = (time.perf_counter() - start) / arguments.frames
        whole, along, most = vertex_errors_mm(run, truth)
        novel = novel_views_db(run, clip, held_out, list(range(0, arguments.frames, 5)))
        print(f"| {mode} | {whole:.2f} | {along:.2f} | {most:.2f} | {novel:.1f} | {seconds:.1f} |", flush=True)
    if arguments.scaling:
        scaling(arguments.out, clip)


def scaling(out: Path, clip: SyntheticPaths) -> None:
    """Seconds of the pass over the frames against cameras times moments, in fast mode."""
    rows = []
    for cameras in (2, 4, 8, 14):
        run_folder = clip.root / f"scaling_{cameras}"
        track_recording(RunRequest(without(clip, HELD_OUT, cameras), config=TrackConfig(mode="fast")), run_folder, overwrite=True)
        report = json.loads((run_folder / "report.json").read_text())
        rows.append((cameras, report["frames"], report["seconds"]["sequential"]))
    print("\n| cameras | moments | s for all moments | ms per picture |\n|---|---|---|---|")
    for cameras, moments, seconds in rows:
        print(f"| {cameras} | {moments} | {seconds:.1f} | {1000 * seconds / cameras / moments:.0f} |")
    figure, axes = plt.subplots(figsize=(5, 3.2))
    axes.plot([cameras * moments for cameras, moments, _ in rows], [seconds for *_, seconds in rows], "o-")
    axes.set(xlabel="cameras × moments", ylabel="seconds", xlim=(0, None), ylim=(0, None), title="fast mode, pass over the frames")
    figure.savefig(out / "rig_scaling.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()
