"""Packets of the Live Link Face app (iPhone) as they arrive over UDP: 61 numbers of ARKit's face per packet."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from headcast.errors import FormatError, InputError
from headcast.export import ArkitCurves
from headcast.expressions import ARKIT_NAMES

VERSION = 6
CHANNELS = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft", "eyeWideLeft", "eyeBlinkRight",
    "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft",
    "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""ARKit's expressions in the packet's order. The app's CSV has left and right of jaw and mouth the other way round."""
ANGLES = 9
"""Yaw, pitch, roll (rad) of head, left and right eye, behind the expressions."""
_LARGEST = 4096


@dataclass(frozen=True)
class LiveFrame:
    """One packet."""

    subject: str
    time_s: float
    """By the phone's own clock."""
    expression: Float[ndarray, "52"]
    """0–1, in the order of `CHANNELS`."""
    angles: Float[ndarray, "3 3"]


def parse_packet(packet: bytes) -> LiveFrame | None:
    """The frame in a packet; None for a packet without a face, which the app sends while it sees none.

    Layout, big-endian: version (u8, 6), the device's id and the subject's name (each an i32 length and UTF-8), frame number (i32), share of a frame
    (f32), frames per second as numerator and denominator (i32), count of numbers (u8, 61), and the numbers (f32).

    Raises:
        FormatError: the packet is of another version, cut short, or holds numbers that are not finite.
    """
    try:
        (version,) = struct.unpack_from(">B", packet, 0)
        if version != VERSION:
            raise FormatError(f"expected a Live Link Face packet of version {VERSION}, found {version}. Set the app to Live Link's ARKit mode.")
        _, place = _text(packet, 1)
        subject, place = _text(packet, place)
        frame, share, numerator, denominator = struct.unpack_from(">ifii", packet, place)
        place += 16
        if place == len(packet):
            return None
        (count,) = struct.unpack_from(">B", packet, place)
        if count != len(CHANNELS) + ANGLES:
            raise FormatError(f"expected {len(CHANNELS) + ANGLES} numbers in a Live Link Face packet, found {count}")
        values = np.array(struct.unpack_from(f">{count}f", packet, place + 1), np.float32)
    except (struct.error, UnicodeDecodeError) as error:
        raise FormatError(f"expected a Live Link Face packet, found {len(packet)} bytes that end early or say something else: {error}") from error
    if not np.isfinite(values).all() or numerator <= 0 or denominator <= 0 or not np.isfinite(share):
        raise FormatError(f"expected finite numbers and a frame rate in a Live Link Face packet, found {numerator}/{denominator} per second")
    return LiveFrame(subject, (frame + share) * denominator / numerator, values[: len(CHANNELS)], values[len(CHANNELS) :].reshape(3, 3))


def _text(packet: bytes, place: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">i", packet, place)
    if not 0 <= length <= len(packet) - place - 4:
        raise struct.error(f"a text of {length} bytes does not fit")
    return packet[place + 4 : place + 4 + length].decode(), place + 4 + length


def packet_of(frame: LiveFrame, fps: int = 60, device: str = "headcast") -> bytes:
    """The packet that the app would send; the inverse of `parse_packet`."""
    number, share = divmod(frame.time_s * fps, 1.0)
    texts = b"".join(struct.pack(">i", len(text)) + text for text in (device.encode(), frame.subject.encode()))
    values = np.concatenate([frame.expression, frame.angles.ravel()]).tolist()
    return (
        struct.pack(">B", VERSION) + texts + struct.pack(">ifii", int(number), share, fps, 1) + struct.pack(f">B{len(values)}f", len(values), *values)
    )


def listen(port: int, silence_s: float = 5.0, first_s: float = 60.0, host: str = "") -> Iterator[LiveFrame]:
    """Frames as they arrive, until nothing has come for `silence_s`. Packets that came too late are left out.

    Raises:
        InputError: the port cannot be opened, or nothing came within `first_s`.
        FormatError: somebody sends something else.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        try:
            receiver.bind((host, port))
        except (OSError, OverflowError) as error:
            raise InputError(f"expected a UDP port that is free, found that {port} is not: {error}") from error
        receiver.settimeout(first_s)
        last = -np.inf
        while True:
            try:
                packet = receiver.recv(_LARGEST)
            except TimeoutError:
                if last == -np.inf:
                    raise InputError(f"expected packets of the Live Link Face app at UDP port {port}, found none in {first_s:g} s") from None
                return
            receiver.settimeout(silence_s)
            frame = parse_packet(packet)
            if frame is not None and frame.time_s > last:
                last = frame.time_s
                yield frame


def curves_of(frames: list[LiveFrame]) -> ArkitCurves:
    """Received frames as ARKit's curves.

    Raises:
        InputError: there are none.
    """
    if not frames:
        raise InputError("expected at least one frame with a face from the Live Link Face app, found none")
    time = np.array([frame.time_s for frame in frames])
    order = [CHANNELS.index(name) for name in ARKIT_NAMES]
    expression = np.stack([frame.expression[order] for frame in frames])
    return ArkitCurves(time - time[0], expression, np.stack([frame.angles for frame in frames]).astype(np.float64))
