"""Files of Video Head Tracker: what it would draw from ours is what we tracked, and its files come back as tracks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from small_tracks import small_track, with_moving_camera
from synthetic_models import flame_vertices

from headcast.errors import FormatError, InputError
from headcast.export.flame_texture import fit_flame_texture
from headcast.export.vht import read_vht, write_vht
from headcast.heads import open_head
from headcast.track.light import sh_basis

LIMITS = {
    "neck_pose": [(-90, 90), (-60, 60), (-80, 80)],
    "jaw_pose": [(-5, 60), (-0.1, 0.1), (-0.1, 0.1)],
    "eyes_pose": [(-50, 50), (-50, 50), (-0.1, 0.1)] * 2,
}


@pytest.fixture(scope="module")
def track(flame):
    """Joint angles within that program's narrow limits: the jaw only opens, the eyes do not roll."""
    track = small_track(flame[1], frame_count=4, invalid=())
    allowed = torch.ones(4, 4, 3)
    allowed[:, 1, 1:], allowed[:, 2:, 2] = 0, 0
    return replace(track, joint_rotations=(track.joint_rotations * allowed).clamp(-0.08, 0.5))


@pytest.fixture(scope="module")
def written(flame, track, tmp_path_factory):
    path = tmp_path_factory.mktemp("vht") / "tracked_flame_params.npz"
    moved = write_vht(track, flame[1], flame[2], path, np.zeros(100, np.float32))
    assert moved == 0
    with np.load(path, allow_pickle=False) as stored:
        return path, dict(stored)


def test_every_key_of_that_program_is_there(written):
    shapes = {name: value.shape for name, value in written[1].items()}
    assert shapes == {
        "rotation": (4, 3), "translation": (4, 3), "neck_pose": (4, 3), "jaw_pose": (4, 3), "eyes_pose": (4, 6), "shape": (300,),
        "expr": (4, 100), "texture": (100,), "light": (4, 9, 3), "frame": (4,), "view": (4,), "n_processed": (), "K": (3,), "RT": (3, 4),
        "image_size": (2,),
    }  # fmt: skip
    assert written[1]["frame"].tolist() == [1, 2, 3, 4] and set(written[1]["view"]) == {"image_0000.png"}


def test_its_equations_put_every_vertex_on_the_same_pixel(flame, track, written):
    arrays, stored = flame[0], written[1]
    expected = track.camera.project(track.head(flame[1]).posed(track.pose()).vertices).numpy()
    height, width = stored["image_size"]
    focal, center_x, center_from_below = stored["K"] * [max(height, width), width, height]
    for k in range(4):
        joints = []
        for name, limits in LIMITS.items():
            lower, upper = np.radians(np.array(limits)).T
            joints.append((lower + (np.tanh(stored[name][k].astype(float)) + 1) / 2 * (upper - lower)).reshape(-1, 3))
        betas = np.concatenate([stored["shape"], stored["expr"][k]])
        pose = np.concatenate([stored["rotation"][k][None], *joints])
        # That program puts the root joint at the origin before it applies the translation.
        root = arrays["J_regressor"][0] @ (arrays["v_template"] + arrays["shapedirs"] @ betas)
        points = flame_vertices(arrays, betas, pose, stored["translation"][k] - root)
        pixels = np.stack([center_x - focal * points[:, 0] / points[:, 2], (height - center_from_below) - focal * points[:, 1] / points[:, 2]], 1)
        # 32-bit numbers on both sides.
        np.testing.assert_allclose(pixels, expected[k], atol=2e-3)


def test_its_light_shades_as_ours(track, written):
    normals = _normals()
    # World to PyTorch3D's view of the default camera.
    shaded = _basis(normals * [-1, 1, -1]) @ written[1]["light"][0]
    np.testing.assert_allclose(shaded, sh_basis(normals) @ track.light.numpy(), atol=1e-5)


def _normals():
    normals = np.random.default_rng(3).normal(size=(50, 3))
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _basis(normals):
    """That program's, of normals in its view."""
    x, y, z = normals.T
    c1, c2 = 2 * np.pi / 3 * np.sqrt(3 / (4 * np.pi)), np.pi / 4 * np.sqrt(5 / (12 * np.pi))
    basis = [np.ones(len(x)) / np.sqrt(4 * np.pi), c1 * x, c1 * y, c1 * z, 3 * c2 * x * y, 3 * c2 * x * z, 3 * c2 * y * z]
    basis += [1.5 * c2 * (x * x - y * y), np.pi / 8 * np.sqrt(5 / (4 * np.pi)) * (3 * z * z - 1)]
    return np.stack(basis, 1)


def test_where_the_camera_moved_it_rests_there_and_head_and_light_move(flame, track, tmp_path):
    moving, path = with_moving_camera(track), tmp_path / "moving.npz"
    write_vht(moving, flame[1], flame[2], path, np.zeros(1, np.float32))
    found, normals = read_vht(path, flame[1], flame[2]), _normals()
    expected = moving.camera_at(torch.arange(4)).project(track.head(flame[1]).posed(track.pose()).vertices)
    torch.testing.assert_close(found.camera.project(found.head(flame[1]).posed(found.pose()).vertices), expected, atol=2e-3, rtol=0)
    for k, light in enumerate(np.load(path)["light"]):
        turned = normals @ moving.camera_at(k).camera_from_world.rotation.numpy().T * [-1, -1, 1]
        np.testing.assert_allclose(_basis(turned) @ light, sh_basis(normals) @ track.light.numpy(), atol=2e-5)


def test_uniform_light_is_the_constant_that_program_starts_from(flame, track, tmp_path):
    even = replace(track, light=torch.cat([torch.ones(1, 3), torch.zeros(8, 3)]))
    write_vht(even, flame[1], flame[2], tmp_path / "a.npz", np.zeros(1, np.float32))
    light = np.load(tmp_path / "a.npz")["light"][0]
    np.testing.assert_allclose(light[0], np.sqrt(4 * np.pi), rtol=1e-5)
    np.testing.assert_allclose(light[1:], 0, atol=1e-5)


def test_reading_undoes_writing(flame, track, written):
    found = read_vht(written[0], flame[1], flame[2], fps=25.0)
    close = {"atol": 2e-5, "rtol": 1e-4}
    for name in ("identity", "expression", "joint_rotations", "time_s", "light"):
        torch.testing.assert_close(getattr(found, name), getattr(track, name), **close)
    torch.testing.assert_close(found.world_from_head.matrix(), track.world_from_head.matrix(), **close)
    torch.testing.assert_close(found.camera.focal_px, track.camera.focal_px, **close)
    torch.testing.assert_close(found.camera.center_px, track.camera.center_px, **close)
    assert found.camera.size == track.camera.size


def test_frames_that_were_not_processed_are_left_out(written, flame, tmp_path):
    np.savez(tmp_path / "part.npz", **{**written[1], "n_processed": np.array(2)})
    assert read_vht(tmp_path / "part.npz", flame[1], flame[2]).frame_count == 2


def test_angles_beyond_its_limits_are_moved_and_counted(flame, track, tmp_path):
    wide = replace(track, joint_rotations=track.joint_rotations.index_fill(1, torch.tensor([1]), 0.5))
    assert write_vht(wide, flame[1], flame[2], tmp_path / "a.npz", np.zeros(1, np.float32)) == 8
    assert np.isfinite(np.load(tmp_path / "a.npz")["jaw_pose"]).all()


def test_a_track_of_another_model_is_refused(flame, tmp_path):
    with pytest.raises(InputError, match=r"expected a track made with one, found one made with 'open head'\. Track again with --model flame"):
        write_vht(small_track(open_head()), open_head(), flame[2], tmp_path / "a.npz", np.zeros(1, np.float32))


def test_a_file_without_a_key_is_refused(flame, written, tmp_path):
    np.savez(tmp_path / "short.npz", **{name: value for name, value in written[1].items() if name != "jaw_pose"})
    with pytest.raises(FormatError, match=r"expected the arrays \['jaw_pose'\]"):
        read_vht(tmp_path / "short.npz", flame[1], flame[2])


def test_texture_coefficients_are_found_again(tmp_path):
    rng = np.random.default_rng(0)
    mean, directions = np.full((32, 32, 3), 128.0), rng.normal(0, 8, (32, 32, 3, 6))
    np.savez(tmp_path / "FLAME_texture.npz", mean=mean, tex_dir=directions)
    given = rng.normal(0, 1, 4)
    picture = (mean + directions[..., :4] @ given)[:, :, ::-1].clip(0, 255).round().astype(np.uint8)
    found = fit_flame_texture(np.asarray(Image.fromarray(picture)), tmp_path / "FLAME_texture.npz", 4)
    # 192 texel values with a spread of 8 against a sigma of 12: the prior pulls by about a hundredth.
    np.testing.assert_allclose(found, given, atol=0.05)
