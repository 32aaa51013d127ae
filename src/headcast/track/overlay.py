"""`overlay.mp4`: recording, head over recording, and the head from 45° to either side, frame by frame in one pass."""

from collections import deque
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy import ndarray
from torch import Tensor

from headcast.capture import Capture
from headcast.capture.movie import Movie
from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel
from headcast.perceive import MEDIAPIPE
from headcast.render import linear_from_srgb, rasterize_arrays
from headcast.render.arrays import NEAR_M
from headcast.solve.step import Step
from headcast.store import replace_file
from headcast.threads import mapped
from headcast.track.drawing import Surface, headlight, paint_dots, paint_faces, region_colors
from headcast.track.light import sh_basis
from headcast.track.marks import FACE_OVAL, RELATIVE
from headcast.track.prefetch import ahead
from headcast.track.surface import incidences, surface_normals
from headcast.track.track import Track

_BACKGROUND = (24, 26, 30)
_DETECTED = (64, 230, 120)
_TURN_DEG = (-45.0, 45.0)
_CHUNK = 32
_BROWS_NOSE_LIPS_PUPILS = np.array(
    [70, 63, 105, 66, 107, 300, 293, 334, 296, 336, 168, 6, 197, 195, 5, 4, 98, 97, 2, 326, 327, 61, 291, 0, 17, 33, 133, 263, 362, 468, 473]
)
_SHOWN_LANDMARKS = np.unique(np.concatenate([FACE_OVAL, RELATIVE.ravel(), _BROWS_NOSE_LIPS_PUPILS]))
"""MediaPipe landmarks worth a dot; of captures with other landmarks, all are shown."""


@dataclass(frozen=True)
class Window:
    """The square of the source frames that the panels show, the same in every frame."""

    left_px: int
    top_px: int
    side_px: int
    panel_px: int

    @classmethod
    def around(cls, track: Track, model: HeadModel, camera_idx: int = 0, samples: int = 120) -> "Window":
        """Holds the whole head in every frame that shows it, with a margin; it may reach beyond the picture."""
        shown = torch.nonzero(track.valid)[:, 0]
        frames = shown[torch.linspace(0, len(shown) - 1, min(samples, len(shown))).round().long()]
        pixels = track.camera_at(frames, camera_idx).project(track.head(model).posed(track.pose(frames)).vertices[:, ::7])
        low, high = pixels.amin((0, 1)), pixels.amax((0, 1))
        side = float((high - low).max()) * 1.12
        left, top = ((low + high) / 2 - side / 2).round().int().tolist()
        panel = int(np.clip(round(side / 16) * 16, 192, 320))
        return cls(left, top, max(round(side), 16), panel)

    def cut(self, image: UInt8[ndarray, "height width 3"]) -> UInt8[ndarray, "panel panel 3"]:
        """The window's part of a frame at panel size; grey beyond the picture."""
        height, width = image.shape[:2]
        left, top = max(self.left_px, 0), max(self.top_px, 0)
        right, bottom = min(self.left_px + self.side_px, width), min(self.top_px + self.side_px, height)
        if (right - left, bottom - top) == (self.side_px, self.side_px):
            return self._resized(image[top:bottom, left:right])
        whole = np.full((self.side_px, self.side_px, 3), _BACKGROUND, np.uint8)
        if right > left and bottom > top:
            whole[top - self.top_px : bottom - self.top_px, left - self.left_px : right - self.left_px] = image[top:bottom, left:right]
        return self._resized(whole)

    def _resized(self, image: UInt8[ndarray, "side side 3"]) -> UInt8[ndarray, "panel panel 3"]:
        shrinking = self.side_px > self.panel_px
        return cv2.resize(image, (self.panel_px, self.panel_px), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)

    def from_source(self, points: Float32[ndarray, "*n 2"]) -> Float32[ndarray, "*n 2"]:
        """Panel positions of source positions."""
        return (points - np.array([self.left_px, self.top_px], np.float32)) * np.float32(self.panel_px / self.side_px)

    def camera(self, camera: Camera) -> Camera:
        """The recording's camera, looking through the window at panel size."""
        return camera.cropped(float(self.left_px), float(self.top_px), (self.side_px, self.side_px)).resized((self.panel_px, self.panel_px))


def write_overlay(
    track: Track,
    model: HeadModel,
    capture: Capture,
    albedo: Float32[ndarray, "side side 3"] | None,
    path: Path,
    keep: Collection[int] = (),
    camera_idx: int = 0,
) -> Generator[Step, None, dict[int, UInt8[ndarray, "height width 3"]]]:
    """Writes an H.264 video (MPEG-4 where this PyAV has no H.264 encoder) at the recording's own time stamps.

    Args:
        albedo: linear texture in the model's atlas; without one the head is shown in plain colours.
        keep: indices of frames whose pictures are the generator's value.
        camera_idx: which of the track's cameras the capture is of.
    """
    window = Window.around(track, model, camera_idx)
    painter = _Painter(track, model, capture, window, albedo, camera_idx)
    kept: dict[int, UInt8[ndarray, "height width 3"]] = {}
    with (
        replace_file(path) as temporary,
        Movie(temporary, capture.fps, (window.panel_px, 4 * window.panel_px)) as video,
        closing(ahead(capture.open_source().frames())) as frames,
        closing(ahead(painter.heads(), 2 * _CHUNK)) as heads,
    ):
        yield Step("overlay", 0, track.frame_count)
        for frame, head in zip(frames, heads):
            picture = painter.paint(frame.frame_idx, frame.image, head)
            video.add(picture, float(track.time_s[frame.frame_idx] - track.time_s[0]))
            if frame.frame_idx in keep:
                kept[frame.frame_idx] = picture
            yield Step("overlay", frame.frame_idx + 1, track.frame_count, frame_idx=frame.frame_idx)
    return kept


@dataclass(frozen=True)
class _Head:
    """A head as three panels show it: over the recording, and from either side."""

    positions: Float32[ndarray, "panels vertices 3"]
    """(x_px, y_px, depth_m) in each panel."""
    light: Float32[ndarray, "panels vertices 3"]
    """Linear."""


def _in_panel(points: Float32[ndarray, "vertices 3"], camera: Camera) -> Float32[ndarray, "vertices 3"]:
    """(x_px, y_px, depth_m) of world points (m), as `image_positions` gives them, without PyTorch's threads."""
    inside = points @ camera.camera_from_world.rotation.numpy().T + camera.camera_from_world.translation.numpy()
    pixels = inside[:, :2] / np.maximum(inside[:, 2:], NEAR_M) * camera.focal_px.numpy() + camera.center_px.numpy()
    return np.concatenate([pixels, inside[:, 2:]], 1).astype(np.float32)


class _Painter:
    """Composes the panels of a frame."""

    def __init__(
        self, track: Track, model: HeadModel, capture: Capture, window: Window, albedo: Float32[ndarray, "side side 3"] | None, camera_idx: int
    ):
        self._track, self._model, self._capture, self._window, self._camera_idx = track, model, capture, window, camera_idx
        white = Surface.white(model)
        self._surfaces = (white, white, white if albedo is None else Surface.textured(model, albedo))
        self._colors = linear_from_srgb(torch.from_numpy(region_colors(model))).numpy()
        faces = model.faces.numpy().astype(np.int32)
        incident_face, _, incident_start = incidences(faces, len(model.template))
        self._around = faces, incident_start, incident_face
        self._middle = track.head(model).vertices.mean(0)
        self._blank = np.full((window.panel_px, 4 * window.panel_px, 3), _BACKGROUND, np.uint8)

    def heads(self) -> Iterator[_Head]:
        """The heads of all frames in order, posed a few at a time."""
        head, panel = self._track.head(self._model), self._window.panel_px
        lit = None if self._surfaces[2] is self._surfaces[1] else self._track.light.numpy()
        for first in range(0, self._track.frame_count, _CHUNK):
            chunk = head.posed(self._track.pose(slice(first, first + _CHUNK))).vertices.numpy()
            for frame_idx, points in enumerate(chunk, start=first):
                own = self._window.camera(self._track.camera_at(frame_idx, self._camera_idx))
                cameras = (own, *(side_camera(self._track, frame_idx, own, self._middle, degrees, panel) for degrees in _TURN_DEG))
                normals = surface_normals(points, *self._around)
                light = [headlight(normals @ camera.camera_from_world.rotation.numpy().T) * self._colors for camera in cameras]
                if lit is not None:
                    lit_normals = normals @ self._track.light_in(frame_idx, self._camera_idx).numpy().T
                    light[2] = np.maximum(sh_basis(lit_normals) @ lit, np.float32(0.02)) * self._gain(frame_idx)
                yield _Head(np.stack([_in_panel(points, camera) for camera in cameras]), np.stack(light).astype(np.float32))

    def _gain(self, frame_idx: int) -> Float32[ndarray, "3"]:
        """The recording's exposure and white balance in a frame."""
        gains = self._track.gains
        return np.ones(3, np.float32) if gains is None else gains[self._camera_idx, frame_idx].numpy()

    def paint(self, frame_idx: int, image: UInt8[ndarray, "height width 3"], head: _Head) -> UInt8[ndarray, "rows columns 3"]:
        panel = self._window.panel_px
        valid = bool(self._track.valid[frame_idx])
        found = bool(self._capture.found[frame_idx])
        picture = self._blank.copy()
        recorded, fitted, left, right = (picture[:, k * panel : (k + 1) * panel] for k in range(4))
        recorded[:] = fitted[:] = self._window.cut(image)
        # A head that was only filled in from its neighbours is not drawn over the recording.
        shown = slice(0 if valid else 1, None)
        opacities = ((0.5, 1.0, 1.0) if valid else (0.0, 0.3, 0.3))[shown]
        drawn = rasterize_arrays(head.positions[shown], self._surfaces[0].faces, panel, panel)
        panels = zip((fitted, left, right)[shown], *drawn[:2], head.light[shown], self._surfaces[shown], opacities, strict=True)
        deque(mapped(lambda arguments: paint_faces(*arguments), panels), maxlen=0)
        if valid and found:
            shown_marks = _SHOWN_LANDMARKS if self._capture.layouts == (MEDIAPIPE,) else slice(None)
            paint_dots(fitted, self._window.from_source(self._capture.landmarks_px[frame_idx, shown_marks]), _DETECTED)
        for k, label in enumerate((f"frame {frame_idx}", "head" if valid else "no face seen", "-45 deg", "+45 deg")):
            cv2.putText(picture, label, (k * panel + 6, panel - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (235, 235, 235), 1, cv2.LINE_AA)
        return picture


def side_camera(track: Track, frame_idx: int, own: Camera, middle: Float32[Tensor, "3"], degrees: float, panel_px: int) -> Camera:
    """The camera of a frame, gone round the head by some degrees (positive shows its left side) and looking at its middle."""
    distance_m, height_m = 0.9, 0.31
    angle = np.radians(degrees)
    turn = torch.tensor([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], dtype=torch.float32)
    rotation = turn @ own.camera_from_world.rotation
    target = track.world_from_head[frame_idx].points(middle[None])[0]
    camera_from_world = Transform(rotation, torch.tensor([0.0, 0.0, distance_m]) - rotation @ target)
    focal = torch.full((2,), panel_px * distance_m / height_m)
    return Camera(focal, torch.full((2,), panel_px / 2), (panel_px, panel_px), camera_from_world)
