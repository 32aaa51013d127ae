"""Writes a synthetic clip: video or pictures, truth, texture, and what it was made from."""

import dataclasses
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from headcast.capture.cameras import CameraFile, CameraFiles
from headcast.errors import InputError
from headcast.evaluate.synth.clip import SyntheticClip, SyntheticFrame, draw_frames, truth_of
from headcast.geometry import Camera
from headcast.render import srgb_from_linear
from headcast.solve.step import Step
from headcast.store import About, SyntheticPaths, replace_file

KIND = "synthetic"
SCHEMA = 1


def prepare_folder(out: Path, overwrite: bool) -> SyntheticPaths:
    """Makes the folder ready for a clip.

    Raises:
        InputError: it is a file, or it is not empty; with `overwrite` only where what it holds is not a synthetic clip.
    """
    paths = SyntheticPaths(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"expected a folder to write to, found a file at {out}")
    if out.is_dir() and any(out.iterdir()):
        if not overwrite:
            raise InputError(f"expected an empty folder. Use --overwrite to replace the clip in it, or another folder: {out}")
        About.load(paths.about, KIND, SCHEMA)
        for picture in paths.pictures.glob("[0-9]*.png"):
            picture.unlink()
        for file in (*out.glob("video_[0-9][0-9].mp4"), paths.cameras, paths.truth, paths.video, paths.albedo_picture, paths.about):
            file.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    return paths


def write_clip(clip: SyntheticClip, out: Path) -> Generator[Step, None, SyntheticPaths]:
    """Draws and writes the clip; the generator's value is where everything is. The truth is written last: a folder with it is complete."""
    paths = SyntheticPaths(out)
    out.mkdir(parents=True, exist_ok=True)
    About(KIND, SCHEMA, {}, {"model": clip.model.name, "config": dataclasses.asdict(clip.config)}).save(paths.about)
    albedo = srgb_from_linear(torch.from_numpy(clip.albedo)).clamp(0, 1).numpy()
    with replace_file(paths.albedo_picture) as temporary:
        Image.fromarray(np.rint(albedo * 255).astype(np.uint8)).save(temporary)
    kept: list[SyntheticFrame] = []
    if clip.config.png:
        paths.pictures.mkdir(exist_ok=True)
        for frame in draw_frames(clip):
            with replace_file(paths.picture(len(kept))) as temporary:
                Image.fromarray(frame.image).save(temporary)
            kept.append(_without_image(frame))
            yield Step("draw", len(kept), clip.config.frames)
    else:
        kept = yield from _write_videos(clip, paths)
    truth_of(clip, kept).save(paths.truth)
    return paths


def _write_videos(clip: SyntheticClip, paths: SyntheticPaths) -> Generator[Step, None, list[SyntheticFrame]]:
    """A video per camera; the generator's value are the frames without their pictures, a vertex being visible where any camera shows it."""
    config, kept = clip.config, list[SyntheticFrame]()
    for camera in range(config.cameras):
        with replace_file(paths.camera_video(camera)) as temporary:
            video = _Video(temporary, config.size, config.fps, config.crf)
            try:
                for frame_idx, frame in enumerate(draw_frames(clip, camera)):
                    video.add(frame.image)
                    if camera == 0:
                        kept.append(_without_image(frame))
                    else:
                        kept[frame_idx] = dataclasses.replace(kept[frame_idx], visible=kept[frame_idx].visible | frame.visible)
                    yield Step("draw", camera * config.frames + frame_idx + 1, config.cameras * config.frames)
            finally:
                video.close()
    if config.cameras > 1:
        _camera_files(clip, paths).save(paths.cameras)
    return kept


def _camera_files(clip: SyntheticClip, paths: SyntheticPaths) -> CameraFiles:
    def known(idx: int, camera: Camera) -> CameraFile:
        focal, center = camera.focal_px.double().numpy(), camera.center_px.double().numpy()
        pose = camera.camera_from_world.matrix()[None].double().numpy()
        return CameraFile(f"camera_{idx:02d}", paths.camera_video(idx).name, focal, center, camera.size, camera_from_world=pose)

    return CameraFiles(paths.root, tuple(known(idx, camera) for idx, camera in enumerate(clip.cameras)))


def _without_image(frame: SyntheticFrame) -> SyntheticFrame:
    """Only what the truth needs, so that memory does not fill with pictures."""
    return dataclasses.replace(frame, image=np.zeros((0, 0, 3), np.uint8))


class _Video:
    """An H.264 file that takes pictures of one size."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float, crf: int):
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        self._stream.height, self._stream.width = size
        # Half the colour resolution, as in ordinary videos, needs even sizes.
        self._stream.pix_fmt = "yuv420p" if size[0] % 2 == 0 and size[1] % 2 == 0 else "yuv444p"
        self._stream.options = {"crf": str(crf), "preset": "veryfast"}

    def add(self, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
            self._container.mux(packet)

    def close(self) -> None:
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
