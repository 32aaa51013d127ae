"""Videos and animated GIFs, decoded by PyAV: upright, in square pixels, at their own time stamps."""

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from headcast.capture.packets import PacketIndex
from headcast.capture.source import SourceFrame, SourceMetadata, focal_from_film
from headcast.errors import FormatError, InputError

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that also read the alpha of these codecs, which their usual ones pass over."""


class VideoSource:
    """A video file. Opening reads its packets once (no decoding), which gives the exact frame count and times."""

    def __init__(self, path: Path):
        self.path = path
        self.files = (path,)
        self.warnings: list[str] = []
        with closing(self._open()) as container:
            stream = container.streams.video[0]
            self._index = PacketIndex.scan(container, stream)
            self._time_base = float(stream.time_base)
            rate = stream.average_rate or stream.guessed_rate
            aspect = float(stream.sample_aspect_ratio or 1) or 1.0
            tags = {**container.metadata, **stream.metadata}
        if self._index.complaint:
            self.warnings.append(self._index.complaint)
        self.frame_count = len(self._index.pts)
        first = next((frame for _, frame in self._decode_packets(None)), None)
        if first is None:
            raise FormatError(f"expected a video, found no frame that can be decoded. The file was cut short or damaged: {path}")
        self._stored_size = (first.height, first.width)
        self._stretch = (1.0, aspect) if aspect >= 1 else (1 / aspect, 1.0)
        self._quarter_turns, self._mirrored = _orientation(first)
        height, width = (round(n * factor) for n, factor in zip(self._stored_size, self._stretch))
        self.size = (width, height) if self._quarter_turns % 2 else (height, width)
        self.metadata = SourceMetadata(
            kind="video",
            fps=self._mean_rate(float(rate or 25)),
            focal_px=focal_from_film(next((v for k, v in tags.items() if "focal_length" in k.lower() and "35" in k), None), self.size),
            rotation_deg=90 * self._quarter_turns,
            mirrored=self._mirrored,
            pixel_aspect=aspect,
        )

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[SourceFrame]:
        """Frames `start` to `stop` (exclusive) in order."""
        return self.select(range(start, self.frame_count if stop is None else min(stop, self.frame_count)))

    def select(self, indices: Sequence[int]) -> Iterator[SourceFrame]:
        """Frames at ascending indices; seeks to the nearest earlier key frame wherever that skips work."""
        position = 0
        while position < len(indices):
            end = position + 1
            while end < len(indices) and self._index.keyframe_before(indices[end]) <= indices[end - 1]:
                end += 1
            yield from self._select_run(indices[position:end])
            position = end

    def _select_run(self, indices: Sequence[int]) -> Iterator[SourceFrame]:
        """Decodes once from the first index to the last. A frame that the file lacks repeats the one before it."""
        waiting = iter(indices)
        wanted = next(waiting, None)
        last = None
        for frame_idx, frame in self._decode(indices[0]):
            while wanted is not None and wanted < frame_idx and last is not None:
                yield self._picture(wanted, last, damaged=True)
                wanted = next(waiting, None)
            if wanted == frame_idx:
                yield self._picture(frame_idx, frame)
                wanted = next(waiting, None)
            last = frame
            if wanted is None:
                return
        if wanted is not None:
            self._warn(f"no frame from {wanted} on could be decoded, of {self.frame_count}; the file was probably cut short")

    def _open(self) -> "av.container.InputContainer":
        if not self.path.is_file():
            raise InputError(f"expected a video file, found nothing at {self.path}")
        if self.path.stat().st_size == 0:
            raise FormatError(f"expected a video, found an empty file at {self.path}")
        try:
            container = av.open(str(self.path), metadata_errors="replace")
        except av.FFmpegError as error:
            raise FormatError(
                f"expected a video, found something that no decoder opens ({error.strerror}). "
                f"If it is a video, it was cut short or damaged; make a fresh copy of {self.path}"
            ) from error
        if not container.streams.video:
            container.close()
            raise FormatError(f"expected a video, found a file without pictures (sound or text only) at {self.path}")
        container.streams.video[0].codec_context.thread_type = "AUTO"
        return container

    def _mean_rate(self, stated: float) -> float:
        if len(self._index.pts) > 1 and self._index.seekable:
            return (len(self._index.pts) - 1) / ((self._index.pts[-1] - self._index.pts[0]) * self._time_base)
        return stated

    def _time(self, frame_idx: int) -> float:
        if self._index.seekable:
            return (self._index.pts[frame_idx] - self._index.pts[0]) * self._time_base
        return frame_idx / self.metadata.fps

    def _decode(self, start: int) -> Iterator[tuple[int, "av.VideoFrame"]]:
        """Decoded frames with their indices, from `start` or somewhat earlier."""
        keyframe = self._index.keyframe_before(start) if self._index.seekable else 0
        if keyframe > 0:
            frames = self._decode_packets(keyframe)
            first = next(frames, None)
            # Some containers seek only roughly; where one lands too late, we start from the beginning instead.
            if first is not None and first[0] <= start:
                yield first
                yield from frames
                return
        yield from self._decode_packets(None)

    def _decode_packets(self, seek_to: int | None) -> Iterator[tuple[int, "av.VideoFrame"]]:
        """Every frame that decodes, from a key frame or the beginning on; broken packets are skipped with a warning."""
        frame_of = {pts: frame_idx for frame_idx, pts in enumerate(self._index.pts)} if self._index.seekable else None
        broken = count = 0
        with closing(self._open()) as container:
            stream = container.streams.video[0]
            decode = self._decoder(stream)
            if seek_to is not None:
                container.seek(self._index.pts[seek_to], stream=stream)
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets)
                except (StopIteration, av.FFmpegError):
                    break
                try:
                    decoded = decode(packet)
                except av.FFmpegError:
                    broken += 1
                    self._warn(f"{broken} packets could not be decoded", replaces=f"{broken - 1} packets could not be decoded")
                    continue
                for frame in decoded:
                    frame_idx = count if frame_of is None else frame_of.get(frame.pts, -1)
                    count += 1
                    if frame_idx >= 0:
                        yield frame_idx, frame

    def _decoder(self, stream: "av.VideoStream"):
        with_alpha = _ALPHA_DECODERS.get(stream.codec_context.name)
        if with_alpha in av.codecs_available and stream.metadata.get("alpha_mode") == "1":
            return av.CodecContext.create(with_alpha, "r").decode
        return stream.codec_context.decode

    def _picture(self, frame_idx: int, frame: "av.VideoFrame", damaged: bool = False) -> SourceFrame:
        if any(component.is_alpha for component in frame.format.components):
            rgba = self._upright(frame.to_ndarray(format="rgba", threads=1))
            alpha = np.ascontiguousarray(rgba[..., 3])
            image, alpha = np.ascontiguousarray(rgba[..., :3]), None if alpha.min() == 255 else alpha
        else:
            image, alpha = self._upright(frame.to_ndarray(format="rgb24", threads=1)), None
        return SourceFrame(frame_idx, self._time(frame_idx), image, alpha, damaged)

    def _upright(self, stored: UInt8[ndarray, "stored_height stored_width channels"]) -> UInt8[ndarray, "height width channels"]:
        if stored.shape[:2] != self._stored_size:
            self._warn(f"the frame size changes within the file; all frames are brought to {self.size[1]}×{self.size[0]}")
        if stored.shape[:2] != self._stored_size or self._stretch != (1.0, 1.0):
            height, width = (round(n * factor) for n, factor in zip(self._stored_size, self._stretch))
            stored = cv2.resize(stored, (width, height), interpolation=cv2.INTER_CUBIC)
        if self._quarter_turns:
            stored = np.rot90(stored, self._quarter_turns)
        return np.ascontiguousarray(stored[:, ::-1] if self._mirrored else stored)

    def _warn(self, message: str, replaces: str = "") -> None:
        if replaces in self.warnings:
            self.warnings.remove(replaces)
        if message not in self.warnings:
            self.warnings.append(message)


def _orientation(frame: "av.VideoFrame") -> tuple[int, bool]:
    """Anticlockwise quarter turns, and whether to mirror left and right after them, from the frame's display matrix.

    The matrix is nine 32-bit numbers a b u c d v x y w (ISO/IEC 14496-12, 8.3.2): stored (x, y) is shown at (ax + cy, bx + dy).
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 0, False
    a, b, _, c, d = np.frombuffer(bytes(matrix), "<i4")[:5].astype(np.float64).tolist()
    mirrored = a * d - b * c < 0
    turn = math.atan2(-b, -a if mirrored else a)
    return round(turn / (math.pi / 2)) % 4, mirrored
