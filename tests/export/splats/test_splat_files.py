"""Splats in other people's files come back as they were, and other programs' numbers are understood."""

import gzip
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headcast.errors import ConfigError, FormatError, InputError
from headcast.export.splats import (
    half_turned,
    read_plain_splats,
    read_splat_glb,
    read_splat_ply,
    read_spz,
    write_plain_splats,
    write_splat_glb,
    write_splat_ply,
    write_spz,
)
from headcast.export.splats.numbers import CONSTANT
from headcast.geometry import Camera, Transform, angle_between, matrix_from_axis_angle
from headcast.render import Splats, splat
from headcast.render.splats import view_colors
from headcast.store import ply_vertices

FILES = {
    "ply": (write_splat_ply, read_splat_ply),
    "splat": (write_plain_splats, read_plain_splats),
    "spz": (write_spz, read_spz),
    "glb": (write_splat_glb, read_splat_glb),
}


def cloud(count: int, seed: int, harmonics: int = 4) -> Splats:
    random = torch.Generator().manual_seed(seed)
    return Splats(
        means=torch.randn(count, 3, generator=random) * 0.1 + torch.tensor([0.0, 0.0, -0.7]),
        rotations=matrix_from_axis_angle(2 * torch.randn(count, 3, generator=random)),
        scales=torch.exp(torch.randn(count, 3, generator=random) - 5),
        opacities=torch.rand(count, generator=random) * 0.98 + 0.01,
        colors=torch.randn(count, harmonics, 3, generator=random) * 0.4,
    )


@pytest.mark.parametrize("harmonics", [1, 4, 9, 16])
@pytest.mark.parametrize("kind", ["ply", "glb"])
def test_files_of_floats_lose_nothing(tmp_path, kind, harmonics):
    sent = cloud(40, harmonics, harmonics)
    write, read = FILES[kind]
    write(sent, tmp_path / f"a.{kind}")
    found = read(tmp_path / f"a.{kind}")
    for name in ("means", "rotations", "scales", "opacities", "colors"):
        torch.testing.assert_close(getattr(found, name), getattr(sent, name), atol=2e-5, rtol=1e-4)


@given(st.integers(0, 10_000), st.sampled_from([1, 4, 9, 16]))
@settings(max_examples=20, deadline=None)
def test_small_files_lose_little(tmp_path_factory, seed, harmonics):
    path = tmp_path_factory.mktemp("spz") / "a.spz"
    sent = cloud(30, seed, harmonics)
    write_spz(sent, path)
    found = read_spz(path)
    torch.testing.assert_close(found.means, sent.means, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.scales.log(), sent.scales.log().clamp(min=-10), atol=0.04, rtol=0)
    torch.testing.assert_close(found.opacities, sent.opacities, atol=0.003, rtol=0)
    assert float(torch.rad2deg(angle_between(found.rotations.double(), sent.rotations.double())).max()) < 0.4
    inside = (0.5 + CONSTANT * sent.colors[:, 0]).clamp(0, 1) == 0.5 + CONSTANT * sent.colors[:, 0]
    torch.testing.assert_close(found.colors[:, 0][inside], sent.colors[:, 0][inside], atol=0.02, rtol=0)
    torch.testing.assert_close(found.colors[:, 1:], sent.colors[:, 1:].clamp(-1, 1), atol=0.08, rtol=0)


def test_plain_files_keep_what_they_can(tmp_path):
    sent = cloud(50, 3, 1)
    write_plain_splats(sent, tmp_path / "a.splat")
    found = read_plain_splats(tmp_path / "a.splat")
    assert (tmp_path / "a.splat").stat().st_size == 50 * 32
    order = [int(torch.cdist(found.means[k : k + 1], sent.means).argmin()) for k in range(50)]
    assert sorted(order) == list(range(50))
    torch.testing.assert_close(found.means, sent.means[order])
    torch.testing.assert_close(found.opacities, sent.opacities[order], atol=0.003, rtol=0)
    assert float(torch.rad2deg(angle_between(found.rotations.double(), sent.rotations[order].double())).max()) < 2


@pytest.mark.parametrize("kind", sorted(FILES))
def test_a_picture_of_what_was_read_is_the_same_picture(tmp_path, kind):
    sent = cloud(60, 5, 1 if kind == "splat" else 4)
    write, read = FILES[kind]
    write(sent, tmp_path / f"a.{kind}")
    camera = Camera.looking_along_minus_z(120.0, (64, 64))
    before, after = (splat(one, camera).over(torch.ones(3)) for one in (sent, read(tmp_path / f"a.{kind}")))
    assert float((before - after).abs().mean()) < 0.01


def test_half_a_turn_shows_the_same_from_half_a_turn():
    sent = cloud(60, 6, 16)
    turned = half_turned(sent)
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    camera = Camera.looking_along_minus_z(120.0, (64, 64))
    other = Camera(camera.focal_px, camera.center_px, camera.size, camera.camera_from_world @ Transform(flip, torch.zeros(3)))
    torch.testing.assert_close(splat(turned, other).color, splat(sent, camera).color, atol=1e-4, rtol=0)
    torch.testing.assert_close(half_turned(turned).colors, sent.colors)
    eye = torch.tensor([0.3, 0.2, 0.1])
    torch.testing.assert_close(view_colors(turned.colors, turned.means, flip @ eye), view_colors(sent.colors, sent.means, eye), atol=1e-5, rtol=0)


def test_the_ply_has_the_columns_that_programs_look_for(tmp_path):
    sent = cloud(3, 7, 4)
    write_splat_ply(sent, tmp_path / "a.ply")
    columns = ply_vertices(tmp_path / "a.ply")
    assert list(columns) == [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", *(f"f_rest_{k}" for k in range(9))),
        *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]
    np.testing.assert_allclose(columns["y"], -sent.means[:, 1])
    np.testing.assert_allclose(columns["opacity"], torch.logit(sent.opacities), atol=1e-4)
    np.testing.assert_allclose(columns["scale_1"], sent.scales[:, 1].log(), atol=1e-5)
    # colour by colour: the three harmonics of red come first
    np.testing.assert_allclose(columns["f_rest_2"], sent.colors[:, 3, 0], atol=1e-6)
    np.testing.assert_allclose(columns["f_rest_3"], -sent.colors[:, 1, 1], atol=1e-6)


def test_older_programs_get_the_second_version(tmp_path):
    sent = cloud(200, 4)
    write_spz(sent, tmp_path / "old.spz", version=2)
    assert gzip.decompress((tmp_path / "old.spz").read_bytes())[4] == 2
    off = torch.rad2deg(angle_between(read_spz(tmp_path / "old.spz").rotations.double(), sent.rotations.double()))
    assert float(off.median()) < 1 and float(off.max()) < 15


def test_the_third_version_of_spz_is_read(tmp_path):
    wxyz = np.array([[0.1, -0.7, 0.5, 0.5], [0.9, 0.2, -0.3, 0.1]])
    wxyz /= np.linalg.norm(wxyz, axis=1, keepdims=True)
    words = []
    for w, x, y, z in wxyz:
        own = [x, y, z, w]
        largest = int(np.argmax(np.abs(own)))
        word, sign = largest, own[largest] < 0
        for axis, value in enumerate(own):
            if axis != largest:
                word = word << 10 | int((value < 0) != sign) << 9 | round(511 * abs(value) * np.sqrt(2))
        words.append(word)
    body = struct.pack("<IIIBBBB", 0x5053474E, 3, 2, 0, 12, 0, 0)
    body += b"".join(struct.pack("<i", v)[:3] for v in (4096, -8192, 0, 0, 0, 4096)) + bytes([255, 128]) + bytes([128] * 6) + bytes([80] * 6)
    body += b"".join(struct.pack("<I", word) for word in words)
    (tmp_path / "a.spz").write_bytes(gzip.compress(body))
    found = read_spz(tmp_path / "a.spz")
    np.testing.assert_allclose(found.means, [[1, -2, 0], [0, 0, 1]])
    np.testing.assert_allclose(found.scales, np.exp(80 / 16 - 10), rtol=1e-5)
    from headcast.geometry import matrix_from_quaternion

    wanted = matrix_from_quaternion(torch.from_numpy(wxyz))
    assert float(torch.rad2deg(angle_between(found.rotations.double(), wanted)).max()) < 0.3


@pytest.mark.parametrize("kind", sorted(FILES))
@given(share=st.floats(0, 0.99))
@settings(max_examples=15, deadline=None)
def test_a_file_that_was_cut_short_is_said_by_name(tmp_path_factory, kind, share):
    path = tmp_path_factory.mktemp("cut") / f"cut.{kind}"
    write, read = FILES[kind]
    write(cloud(7, 9), path)
    content = path.read_bytes()
    cut = int(len(content) * share)
    if kind == "splat" and cut and cut % 32 == 0:
        return  # fewer splats are a file as good as any
    path.write_bytes(content[:cut])
    with pytest.raises(FormatError, match=rf"cut\.{kind}"):
        read(path)


@pytest.mark.parametrize("kind", sorted(FILES))
def test_no_splats_are_no_file(tmp_path, kind):
    with pytest.raises(InputError, match="at least one"):
        FILES[kind][0](cloud(0, 1), tmp_path / f"none.{kind}")
    assert not list(tmp_path.iterdir())


def test_splats_too_far_for_fixed_numbers_are_refused(tmp_path):
    far = cloud(3, 10)
    far.means[1, 0] = 300.0
    with pytest.raises(ConfigError, match="300 m"):
        write_spz(far, tmp_path / "far.spz")
    assert not (tmp_path / "far.spz").exists()


def test_a_cloud_without_gaussians_is_refused(tmp_path):
    (tmp_path / "points.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n0 0 0\n"
    )
    with pytest.raises(FormatError, match="f_dc_0"):
        read_splat_ply(tmp_path / "points.ply")
