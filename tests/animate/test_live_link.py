"""The phone's packets: layout, order, silence, and other people's packets."""

import contextlib
import socket
import struct
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headcast.animate import LiveFrame, listen, packet_of, parse_packet
from headcast.animate.live_link import CHANNELS, curves_of
from headcast.errors import FormatError, InputError
from headcast.expressions import ARKIT_NAMES


def frame_at(time_s: float, seed: int = 0) -> LiveFrame:
    random = np.random.default_rng(seed)
    return LiveFrame("Anna's phone", time_s, random.random(52).astype(np.float32), random.normal(size=(3, 3)).astype(np.float32))


def test_all_of_arkits_expressions_are_there_once():
    assert sorted(CHANNELS) == sorted(ARKIT_NAMES)


def test_the_layout_is_the_apps():
    values = np.arange(61, dtype=np.float32) / 100
    packet = struct.pack(">B", 6) + struct.pack(">i", 4) + b"id-1" + struct.pack(">i", 6) + b"iPhone" + struct.pack(">ifii", 90, 0.5, 60, 1)
    packet += struct.pack(">B61f", 61, *values)
    found = parse_packet(packet)
    assert found.subject == "iPhone" and found.time_s == pytest.approx(90.5 / 60)
    assert found.expression[CHANNELS.index("jawOpen")] == pytest.approx(0.17)
    assert found.expression[CHANNELS.index("jawLeft")] == pytest.approx(0.15)
    np.testing.assert_allclose(found.angles[0], [0.52, 0.53, 0.54])


@given(st.floats(0, 80000), st.integers(0, 99), st.sampled_from([24, 30, 60]))
def test_a_packet_says_what_was_sent(time_s, seed, fps):
    sent = frame_at(time_s, seed)
    found = parse_packet(packet_of(sent, fps))
    np.testing.assert_array_equal(found.expression, sent.expression)
    np.testing.assert_array_equal(found.angles, sent.angles)
    assert found.subject == sent.subject and found.time_s == pytest.approx(time_s, abs=1e-5 * max(1, time_s))


def test_a_packet_without_a_face_is_none():
    assert parse_packet(packet_of(frame_at(1.0))[: -(1 + 61 * 4)]) is None


@given(st.binary(max_size=400))
def test_what_is_not_such_a_packet_is_refused_and_nothing_else_happens(packet):
    with contextlib.suppress(FormatError):
        assert parse_packet(packet) is None


@pytest.mark.parametrize("length", [0, 1, 10, 40, 100, 280])
def test_a_packet_that_ends_early_is_refused(length):
    with pytest.raises(FormatError):
        parse_packet(packet_of(frame_at(1.0))[:length])


def test_numbers_that_are_not_finite_are_refused():
    bad = frame_at(1.0)
    bad.expression[3] = np.nan
    with pytest.raises(FormatError, match="finite"):
        parse_packet(packet_of(bad))


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_frames_arrive_in_order_until_the_phone_is_silent():
    port = free_port()

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for k in (0, 1, 3, 2, 4):
                time.sleep(0.02)
                sender.sendto(packet_of(frame_at(k / 30, k), 30), ("127.0.0.1", port))

    thread = threading.Timer(0.1, send)
    thread.start()
    frames = list(listen(port, silence_s=0.5, first_s=10.0, host="127.0.0.1"))
    thread.join()
    assert [round(frame.time_s * 30) for frame in frames] == [0, 1, 3, 4]
    curves = curves_of(frames)
    assert curves.time_s[0] == 0 and curves.expression.shape == (4, 52) and curves.angles.shape == (4, 3, 3)


def test_a_phone_that_sends_nothing_is_said():
    with pytest.raises(InputError, match="UDP port"):
        list(listen(free_port(), first_s=0.05, host="127.0.0.1"))


def test_a_port_that_is_taken_is_said():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match="free"):
            list(listen(taken.getsockname()[1], first_s=0.05, host="127.0.0.1"))


def test_left_is_left_in_the_curves_too():
    frame = LiveFrame("", 0.0, np.zeros(52, np.float32), np.zeros((3, 3), np.float32))
    frame.expression[CHANNELS.index("jawLeft")] = 1.0
    assert curves_of([frame]).expression[0].argmax() == ARKIT_NAMES.index("jawLeft")


def test_no_frames_are_no_curves():
    with pytest.raises(InputError, match="at least one"):
        curves_of([])
