"""`overlay.mp4`: recording, head over recording, and the head from 45° to either side, frame by frame in one pass."""

from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy import ndarray
from torch import Tensor

from headcast.capture import Capture
from headcast.geometry import vertex_normals
from headcast.heads import HeadModel
from headcast.solve.step import Step
from headcast.store import replace_file
from headcast.track.drawing import Paintable, paint_dots, paint_surface
from headcast.track.light import sh_basis
from headcast.track.person import CLOSURE_PAIRS, FACE_OVAL
from headcast.track.track import Track

_BACKGROUND = (24, 26, 30)
_DETECTED = (64, 230, 120)
_TURN_DEG = (-45.0, 45.0)
_CHUNK = 32
_BROWS_NOSE_LIPS_PUPILS = np.array(
    [70, 63, 105, 66, 107, 300, 293, 334, 296, 336, 168, 6, 197, 195, 5, 4, 98, 97, 2, 326, 327, 61, 291, 0, 17, 33, 133, 263, 362, 468, 473]
)
_SHOWN_LANDMARKS = np.unique(np.concatenate([FACE_OVAL, CLOSURE_PAIRS.ravel(), _BROWS_NOSE_LIPS_PUPILS]))
"""MediaPipe landmarks worth a dot."""


@dataclass(frozen=True)
class Window:
    """The square of the source frames that the panels show, the same in every frame."""

    left_px: int
    top_px: int
    side_px: int
    panel_px: int

    @classmethod
    def around(cls, track: Track, model: HeadModel, samples: int = 120) -> "Window":
        """Holds the whole head in every frame that shows it, with a margin; it may reach beyond the picture."""
        shown = torch.nonzero(track.valid)[:, 0]
        frames = shown[torch.linspace(0, len(shown) - 1, min(samples, len(shown))).round().long()]
        pixels = track.camera.project(track.head(model).posed(track.pose(frames)).vertices[:, ::7])
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
        whole = np.full((self.side_px, self.side_px, 3), _BACKGROUND, np.uint8)
        if right > left and bottom > top:
            whole[top - self.top_px : bottom - self.top_px, left - self.left_px : right - self.left_px] = image[top:bottom, left:right]
        shrinking = self.side_px > self.panel_px
        return cv2.resize(whole, (self.panel_px, self.panel_px), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)

    def from_source(self, points: Float32[ndarray, "*n 2"]) -> Float32[ndarray, "*n 2"]:
        """Panel positions of source positions."""
        return (points - np.array([self.left_px, self.top_px], np.float32)) * np.float32(self.panel_px / self.side_px)


@dataclass(frozen=True)
class _Posed:
    """One frame's head, ready to paint."""

    in_window: Float32[ndarray, "vertices 3"]
    """(x_px, y_px, depth_m) in the panel that shows the recording."""
    from_sides: tuple[Float32[ndarray, "vertices 3"], ...]
    """The same for views from the sides, which follow the head."""
    light: Float32[ndarray, "vertices 3"]
    """Linear shading by the solved light."""
    headlight: Float32[ndarray, "vertices 3"]
    """Shading by a lamp at the camera."""
    headlight_from_sides: tuple[Float32[ndarray, "vertices 3"], ...]


def write_overlay(
    track: Track, model: HeadModel, capture: Capture, albedo: Float32[ndarray, "side side 3"] | None, path: Path, keep: Collection[int] = ()
) -> Generator[Step, None, dict[int, UInt8[ndarray, "height width 3"]]]:
    """Writes an H.264 video (MPEG-4 where this PyAV has no H.264 encoder) at the recording's own time stamps.

    Args:
        albedo: linear texture in the model's atlas; without one the head is shown in plain colours.
        keep: indices of frames whose pictures are the generator's value.
    """
    window = Window.around(track, model)
    posed = _posed_frames(track, model, window)
    kept: dict[int, UInt8[ndarray, "height width 3"]] = {}
    with replace_file(path) as temporary, _Video(temporary, capture, window.panel_px) as video:
        painter = _Painter(track, model, capture, window, None if albedo is None else np.ascontiguousarray(albedo, np.float32))
        for frame, head in zip(capture.open_source().frames(), posed):
            picture = painter.paint(frame.frame_idx, frame.image, head)
            video.add(picture, float(track.time_s[frame.frame_idx]))
            if frame.frame_idx in keep:
                kept[frame.frame_idx] = picture
            yield Step("overlay", frame.frame_idx + 1, track.frame_count, frame_idx=frame.frame_idx)
    return kept


class _Painter:
    """Composes the panels of a frame."""

    def __init__(self, track: Track, model: HeadModel, capture: Capture, window: Window, albedo: Float32[ndarray, "side side 3"] | None):
        self._track, self._capture, self._window, self._albedo = track, capture, window, albedo
        self._paintable = Paintable.of(model)

    def paint(self, frame_idx: int, image: UInt8[ndarray, "height width 3"], head: _Posed) -> UInt8[ndarray, "rows columns 3"]:
        panel = self._window.panel_px
        picture = np.empty((panel, 4 * panel, 3), np.uint8)
        recorded, fitted, *sides = (picture[:, k * panel : (k + 1) * panel] for k in range(4))
        recorded[:] = self._window.cut(image)
        fitted[:] = recorded
        valid = bool(self._track.valid[frame_idx])
        if valid:
            paint_surface(fitted, head.in_window, head.headlight, self._paintable, opacity=0.5)
            dots = self._window.from_source(self._capture.landmarks_px[frame_idx, _SHOWN_LANDMARKS])
            paint_dots(fitted, dots, _DETECTED)
        for k, (side, positions) in enumerate(zip(sides, head.from_sides)):
            side[:] = _BACKGROUND
            textured = k == 1 and self._albedo is not None
            light = head.light if textured else head.headlight_from_sides[k]
            paint_surface(side, positions, light if valid else 0.35 * light, self._paintable, self._albedo if textured else None)
        for k, label in enumerate((f"frame {frame_idx}", "head" if valid else "no face seen", "-45 deg", "+45 deg")):
            cv2.putText(picture, label, (k * panel + 6, panel - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (235, 235, 235), 1, cv2.LINE_AA)
        return picture


def _posed_frames(track: Track, model: HeadModel, window: Window) -> Iterator[_Posed]:
    """Heads of all frames in order, posed a few at a time."""
    head = track.head(model)
    camera = track.camera
    middle = head.vertices.mean(0)
    for first in range(0, track.frame_count, _CHUNK):
        pose = track.pose(slice(first, first + _CHUNK))
        vertices = head.posed(pose).vertices
        normals = vertex_normals(vertices, model.faces)
        shading = torch.from_numpy(sh_basis(normals.numpy())) @ track.light
        in_camera = camera.camera_from_world.points(vertices)
        normals_in_camera = normals @ camera.camera_from_world.rotation.T
        centre = camera.camera_from_world.points(pose.world_from_head.points(middle.expand(len(vertices), 1, 3)))
        pixels = torch.from_numpy(window.from_source(camera.project(vertices).numpy()))
        in_window = torch.cat([pixels, in_camera[..., 2:]], -1)
        turned = [_side_view(in_camera - centre, normals_in_camera, degrees, window.panel_px) for degrees in _TURN_DEG]
        headlight = _headlight(normals_in_camera)
        for k in range(len(vertices)):
            yield _Posed(
                in_window[k].numpy(),
                tuple(positions[k].numpy() for positions, _ in turned),
                shading[k].clamp_min(0.02).float().numpy(),
                headlight[k].numpy(),
                tuple(light[k].numpy() for _, light in turned),
            )


def _side_view(
    around_centre: Float32[Tensor, "frames vertices 3"], normals: Float32[Tensor, "frames vertices 3"], degrees: float, panel_px: int
) -> tuple[Float32[Tensor, "frames vertices 3"], Float32[Tensor, "frames vertices 3"]]:
    """(x_px, y_px, depth_m) and headlight of heads seen by a camera that went round them; positive degrees show their left side."""
    angle = np.radians(degrees)
    turn = torch.tensor([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], dtype=torch.float32)
    distance_m, height_m = 0.9, 0.31
    points = around_centre @ turn.T
    depth = points[..., 2:] + distance_m
    pixels = points[..., :2] / depth * (panel_px * distance_m / height_m) + panel_px / 2
    return torch.cat([pixels, depth], -1), _headlight(normals @ turn.T)


def _headlight(normals_in_camera: Float32[Tensor, "frames vertices 3"]) -> Float32[Tensor, "frames vertices 3"]:
    """Shading by a lamp a little above the camera and some light from everywhere."""
    direction = torch.tensor([0.0, -0.35, -0.94])
    return (0.22 + 0.85 * (normals_in_camera @ direction).clamp_min(0))[..., None].expand(*normals_in_camera.shape).contiguous()


class _Video:
    """A video file that frames are added to; use it as a context."""

    def __init__(self, path: Path, capture: Capture, panel_px: int):
        rate = Fraction(capture.fps or 1.0).limit_denominator(1000)
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        codec = "libx264" if _has_encoder("libx264") else "mpeg4"
        self._stream = self._container.add_stream(codec, rate=rate, options={"crf": "20", "preset": "superfast"} if codec == "libx264" else {})
        self._stream.width, self._stream.height, self._stream.pix_fmt = 4 * panel_px, panel_px, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, 90000)
        self._last = -1

    def add(self, picture: UInt8[ndarray, "height width 3"], time_s: float) -> None:
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        # Stamps must grow, whatever the recording says.
        self._last = max(round(time_s * 90000), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, 90000)
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> "_Video":
        return self

    def __exit__(self, kind, *_: object) -> None:
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()


def _has_encoder(name: str) -> bool:
    try:
        av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True
