"""Videos and animated GIFs, decoded by PyAV: upright, in square pixels, at their own time stamps."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from headcast.capture.source import SourceFrame, SourceMetadata, focal_from_film
from headcast.errors import FormatError, InputError


@dataclass(frozen=True)
class _Index:
    """Presentation time stamps of the frames, in order, and which of them a decoder can start at."""

    pts: list[int]
    keyframes: list[int]
    seekable: bool
    """False where stamps are missing or repeated; then every read starts at the first frame."""
    complaint: str | None

    def keyframe_before(self, frame_idx: int) -> int:
        return self.keyframes[max(bisect_right(self.keyframes, frame_idx) - 1, 0)]


class VideoSource:
    """A video file. Opening reads its packets once (no decoding), which gives the exact frame count and times."""

    def __init__(self, path: Path):
        self.path = path
        self.files = (path,)
        self.warnings: list[str] = []
        with closing(self._open()) as container:
            stream = container.streams.video[0]
            self._index = _scan(container, stream)
            self._time_base = float(stream.time_base)
            rate = stream.average_rate or stream.guessed_rate
            aspect = float(stream.sample_aspect_ratio or 1) or 1.0
            tags = {**container.metadata, **stream.metadata}
        if self._index.complaint:
            self.warnings.append(self._index.complaint)
        first = next((frame for _, frame in self._decode(0)), None)
        if first is None:
            raise FormatError(f"expected a video, found no frame that can be decoded. The file was cut short or damaged: {path}")
        self.frame_count = len(self._index.pts)
        self._stretch = (1.0, aspect) if aspect >= 1 else (1 / aspect, 1.0)
        self._rotation_deg = round(first.rotation / 90) * 90 % 360
        height, width = (round(n * factor) for n, factor in zip((first.height, first.width), self._stretch))
        self.size = (width, height) if self._rotation_deg % 180 else (height, width)
        self.metadata = SourceMetadata(
            kind="video",
            fps=self._mean_rate(float(rate or 25)),
            focal_px=focal_from_film(next((v for k, v in tags.items() if "focal_length" in k.lower() and "35" in k), None), self.size),
            rotation_deg=self._rotation_deg,
            mirrored=False,
            pixel_aspect=aspect,
        )

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[SourceFrame]:
        """Frames `start` to `stop` (exclusive) in order."""
        stop = self.frame_count if stop is None else min(stop, self.frame_count)
        expected, last = start, None
        for frame_idx, frame in self._decode(start):
            while last is not None and expected < min(frame_idx, stop):
                yield last._replace(frame_idx=expected, time_s=self._time(expected), damaged=True)
                expected += 1
            if frame_idx >= stop:
                break
            if frame_idx >= expected:
                last = self._picture(frame_idx, frame)
                yield last
                expected = frame_idx + 1
        if expected < stop:
            self._warn(f"only frames {start} to {expected - 1} of {self.frame_count} could be decoded; the file was probably cut short")

    def select(self, indices: Sequence[int]) -> Iterator[SourceFrame]:
        """Frames at ascending indices; seeks to the nearest earlier key frame wherever that skips work."""
        position = 0
        while position < len(indices):
            run = [indices[position]]
            while position + len(run) < len(indices) and self._index.keyframe_before(indices[position + len(run)]) <= run[-1]:
                run.append(indices[position + len(run)])
            wanted = set(run)
            for frame in self.frames(run[0], run[-1] + 1):
                if frame.frame_idx in wanted:
                    yield frame
            position += len(run)

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
        """Decoded frames with their indices, from `start` or somewhat earlier; broken packets are skipped with a warning."""
        from_key = self._index.keyframe_before(start) if self._index.seekable else 0
        if from_key > 0:
            frames = self._decode_packets(from_key)
            first = next(frames, None)
            if first is not None and first[0] <= start:
                yield first
                yield from frames
                return
            frames.close()
        yield from self._decode_packets(None)

    def _decode_packets(self, seek_to: int | None) -> Iterator[tuple[int, "av.VideoFrame"]]:
        frame_of = {pts: frame_idx for frame_idx, pts in enumerate(self._index.pts)} if self._index.seekable else None
        broken = count = 0
        with closing(self._open()) as container:
            stream = container.streams.video[0]
            if seek_to is not None:
                container.seek(self._index.pts[seek_to], stream=stream)
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets)
                except (StopIteration, av.FFmpegError):
                    break
                try:
                    decoded = packet.decode()
                except av.FFmpegError:
                    broken += 1
                    self._warn(f"{broken} packets could not be decoded", f"{broken - 1} packets could not be decoded")
                    continue
                for frame in decoded:
                    frame_idx = count if frame_of is None else frame_of.get(frame.pts, -1)
                    count += 1
                    if frame_idx >= 0:
                        yield frame_idx, frame

    def _picture(self, frame_idx: int, frame: "av.VideoFrame") -> SourceFrame:
        if any(component.is_alpha for component in frame.format.components):
            rgba = self._upright(frame.to_ndarray(format="rgba"))
            alpha = np.ascontiguousarray(rgba[..., 3])
            return SourceFrame(frame_idx, self._time(frame_idx), np.ascontiguousarray(rgba[..., :3]), None if alpha.min() == 255 else alpha)
        return SourceFrame(frame_idx, self._time(frame_idx), self._upright(frame.to_ndarray(format="rgb24")), None)

    def _upright(self, stored: UInt8[ndarray, "stored_height stored_width channels"]) -> UInt8[ndarray, "height width channels"]:
        if self._stretch != (1.0, 1.0):
            height, width = (round(n * factor) for n, factor in zip(stored.shape[:2], self._stretch))
            stored = cv2.resize(stored, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.ascontiguousarray(np.rot90(stored, self._rotation_deg // 90)) if self._rotation_deg else stored

    def _warn(self, message: str, replaces: str | None = None) -> None:
        if replaces in self.warnings:
            self.warnings.remove(replaces)
        if message not in self.warnings:
            self.warnings.append(message)


def _scan(container, stream) -> _Index:
    """Reads all packets without decoding them."""
    stamps: list[tuple[int, bool]] = []
    packets = missing = 0
    complaint = None
    demuxer = container.demux(stream)
    while True:
        try:
            packet = next(demuxer)
        except StopIteration:
            break
        except av.FFmpegError as error:
            complaint = f"the file ends in damaged data after {packets} frames ({error.strerror})"
            break
        if packet.size == 0 or packet.is_discard:
            continue
        packets += 1
        missing += packet.pts is None
        stamps.append((packet.pts if packet.pts is not None else 0, packet.is_keyframe))
    promised = stream.frames
    if complaint is None and promised > packets:
        complaint = f"the file promises {promised} frames and holds {packets}; it was cut short"
    stamps.sort(key=lambda stamp: stamp[0])
    pts = [stamp for stamp, _ in stamps]
    seekable = missing == 0 and all(a < b for a, b in pairwise(pts))
    return _Index(pts, [i for i, (_, key) in enumerate(stamps) if key] or [0], seekable, complaint)
