"""What the packets of a video say without decoding them: how many frames there are, when, and where a decoder can start."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import av


@dataclass(frozen=True)
class PacketIndex:
    """Presentation time stamps of the frames, in order, and which of them a decoder can start at."""

    pts: list[int]
    keyframes: list[int]
    """Frame indices."""
    seekable: bool
    """False where stamps are missing or repeated; then every read starts at the first frame."""
    complaint: str | None
    """What is wrong with the file, for a person."""

    def keyframe_before(self, frame_idx: int) -> int:
        return self.keyframes[max(bisect_right(self.keyframes, frame_idx) - 1, 0)]

    @classmethod
    def scan(cls, container: "av.container.InputContainer", stream: "av.VideoStream") -> "PacketIndex":
        """Reads all packets of a freshly opened file."""
        stamps: list[tuple[int, bool]] = []
        missing, complaint = 0, None
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.FFmpegError as error:
                complaint = f"the file ends in damaged data after {len(stamps)} frames ({error.strerror})"
                break
            if packet.size == 0 or packet.is_discard:
                continue
            missing += packet.pts is None
            stamps.append((packet.pts or 0, packet.is_keyframe))
        if complaint is None and stream.frames > len(stamps):
            complaint = f"the file promises {stream.frames} frames and holds {len(stamps)}; it was probably cut short"
        stamps.sort(key=lambda stamp: stamp[0])
        pts = [stamp for stamp, _ in stamps]
        seekable = missing == 0 and all(a < b for a, b in pairwise(pts))
        return cls(pts, [i for i, (_, key) in enumerate(stamps) if key] or [0], seekable, complaint)
