"""Writes videos at given times, for people to look at."""

from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
from jaxtyping import UInt8
from numpy import ndarray

from headcast.capture.sound import Sound

_CLOCK = Fraction(1, 90000)
"""Seconds per tick of the video's time stamps."""


class Movie:
    """A video file that frames are added to, encoded on a thread of its own one frame behind; use it as a context."""

    def __init__(self, path: Path, fps: float | None, size: tuple[int, int], sound: Path | None = None):
        """H.264 where this PyAV has an encoder for it, otherwise MPEG-4.

        Args:
            size: The pictures' height and width, both even.
            sound: A recording whose sound goes along, from its start to the last picture.
        """
        rate = Fraction(fps or 1.0).limit_denominator(1000)
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        codec = "libx264" if _has_encoder("libx264") else "mpeg4"
        self._stream = self._container.add_stream(codec, rate=rate, options={"crf": "20", "preset": "superfast"} if codec == "libx264" else {})
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _CLOCK
        self._sound = None if sound is None else Sound(sound, self._container)
        self._last = -1
        self._encoder = ThreadPoolExecutor(1, "encode")
        self._encoding: Future[None] | None = None

    def add(self, picture: UInt8[ndarray, "height width 3"], time_s: float) -> None:
        self._wait()
        # Stamps must grow, whatever the recording says.
        self._last = max(round(time_s / _CLOCK), self._last + 1)
        self._encoding = self._encoder.submit(self._encode, picture, self._last)

    def _encode(self, picture: UInt8[ndarray, "height width 3"], stamp: int) -> None:
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p", threads=1)
        frame.pts, frame.time_base = stamp, _CLOCK
        self._container.mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.until(float(stamp * _CLOCK))

    def _wait(self) -> None:
        if self._encoding is not None:
            self._encoding.result()
            self._encoding = None

    def __enter__(self) -> "Movie":
        return self

    def __exit__(self, kind, *_: object) -> None:
        try:
            if kind is None:
                self._wait()
                self._container.mux(self._stream.encode())
        finally:
            self._encoder.shutdown()
            if self._sound is not None:
                self._sound.close()
            self._container.close()


def _has_encoder(name: str) -> bool:
    try:
        av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True
