"""The sound of a recording, carried over into a video that is made of it."""

from collections.abc import Iterator
from pathlib import Path

import av
import av.error

from headcast.errors import InputError

_KEPT = ("aac", "mp3", "ac3", "eac3", "opus", "flac")
"""Codecs that an MP4 file holds; the packets are copied. Others are encoded as AAC."""


class Sound:
    """The first sound track of a file, as packets for a container that is being written; use it as a context."""

    def __init__(self, path: Path, container: "av.container.OutputContainer"):
        """Raises `InputError` where the file cannot be read; look with `has_sound` whether there is any."""
        try:
            self._source = av.open(str(path))
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"expected a recording with sound, found something that cannot be read: {path} ({error})") from error
        stream = self._source.streams.audio[0]
        self._copied = stream.codec_context.name in _KEPT
        if self._copied:
            self._out = container.add_stream_from_template(stream)
        else:
            self._out = container.add_stream("aac", rate=stream.codec_context.sample_rate or 44100)
        self._container = container
        self._stream = stream
        self._packets = self._made()
        self._next: av.Packet | None = next(self._packets, None)

    def until(self, time_s: float) -> None:
        """Writes what is heard before a moment."""
        while self._next is not None and _start_s(self._next) < time_s:
            self._container.mux(self._next)
            self._next = next(self._packets, None)

    def close(self) -> None:
        self._source.close()

    def _made(self) -> Iterator["av.Packet"]:
        if self._copied:
            for packet in self._source.demux(self._stream):
                if packet.dts is not None:
                    packet.stream = self._out
                    yield packet
            return
        for frame in self._source.decode(self._stream):
            yield from self._out.encode(frame)
        yield from self._out.encode(None)


def has_sound(path: Path) -> bool:
    """Whether a file is a recording with a sound track; other files have none."""
    try:
        with av.open(str(path)) as container:
            return bool(container.streams.audio)
    except (av.error.FFmpegError, OSError):
        return False


def _start_s(packet: "av.Packet") -> float:
    stamp = packet.pts if packet.pts is not None else packet.dts
    return float(stamp * packet.time_base) if stamp is not None else 0.0
