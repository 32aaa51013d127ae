"""Static heads in every kind of file come in alike, and broken ones say what is wrong."""

import json

import cv2
import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial import cKDTree

from headcast.errors import ConfigError, FormatError, InputError
from headcast.fit.config import FitConfig
from headcast.fit.read import read_head
from headcast.fit.read_cloud import read_cloud
from headcast.fit.unit import unit_of


def ball(count: int = 400) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=3, radius=0.1)


def read(path, **settings):
    return read_head(path, FitConfig(**settings))


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb", ".stl"])
def test_meshes_of_every_kind_hold_the_same_surface(tmp_path, suffix):
    ball().export(tmp_path / f"head{suffix}")
    scan = read(tmp_path / f"head{suffix}")
    assert len(scan.faces) == len(ball().faces)
    assert np.allclose(np.linalg.norm(scan.vertices, axis=1), 0.1, atol=1e-6)


def test_texture_positions_and_picture_come_along(tmp_path):
    mesh = ball()
    uv = 0.5 + 4 * mesh.vertices[:, :2]
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8))
    mesh.visual = trimesh.visual.TextureVisuals(uv, image=picture)
    mesh.export(tmp_path / "head.obj")
    scan = read(tmp_path / "head.obj")
    assert scan.texture.shape == (16, 16, 3) and scan.uv.shape == (len(scan.faces), 3, 2)
    next(tmp_path.glob("*.png")).unlink()
    with pytest.raises(InputError, match="expected the texture that the materials name, found nothing"):
        read(tmp_path / "head.obj")


@given(
    count=st.integers(200, 400),
    colored=st.booleans(),
    normals=st.booleans(),
    form=st.sampled_from(["xyz", "npz", "ply", "ascii"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_clouds_of_every_kind_hold_the_same_points(tmp_path, count, colored, normals, form, seed):
    rng = np.random.default_rng(seed)
    unit = rng.standard_normal((count, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    points, colors = np.round(unit, 4), rng.integers(2, 256, (count, 3))
    if form == "npz":
        extra = ({"colors": colors / 255} if colored else {}) | ({"normals": unit} if normals else {})
        np.savez(tmp_path / "head.npz", points=points, **extra)
    elif form == "xyz":
        np.savetxt(tmp_path / "head.xyz", np.concatenate([points, *([colors] if colored else []), *([unit] if normals else [])], 1))
    else:
        fields = (
            [(name, "<f4") for name in "xyz"]
            + [(n, "<f4") for n in ("nx", "ny", "nz") if normals]
            + [(n, "u1") for n in ("red", "green", "blue") if colored]
        )
        rows = np.zeros(count, fields)
        for k, name in enumerate("xyz"):
            rows[name] = points[:, k]
        for k in range(3):
            if normals:
                rows["n" + "xyz"[k]] = unit[:, k]
            if colored:
                rows[("red", "green", "blue")[k]] = colors[:, k]
        kinds = {"f4": "float", "u1": "uchar"}
        header = [f"property {kinds[np.dtype(kind).str[1:]]} {name}" for name, kind in fields]
        start = (
            f"ply\nformat {'ascii' if form == 'ascii' else 'binary_little_endian'} 1.0\nelement vertex {count}\n"
            + "\n".join(header)
            + "\nend_header\n"
        )
        body = "\n".join(" ".join(str(v) for v in row) for row in rows.tolist()).encode() if form == "ascii" else rows.tobytes()
        (tmp_path / "head.ply").write_bytes(start.encode() + body)
    scan = read(tmp_path / f"head.{'ply' if form == 'ascii' else form}")
    assert scan.faces is None and (scan.colors is not None) == colored
    # Without colours a cloud is shaded, which takes normals: estimated where the file has none.
    assert (scan.normals is not None) == (normals or not colored)
    assert cKDTree(points).query(scan.vertices)[0].max() < 1e-6
    assert len(scan.vertices) > 0.8 * count


def gaussians(path, count=300, leave_out=()):
    rng = np.random.default_rng(0)
    names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    names = [name for name in names if name not in leave_out]
    rows = np.zeros(count, [(name, "<f4") for name in names])
    for name in names:
        rows[name] = rng.standard_normal(count)
    for name in ("scale_0", "scale_1", "scale_2"):
        if name in names:
            rows[name] = np.log(0.01)
    rows["opacity"] = 3.0
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n" + "".join(f"property float {name}\n" for name in names) + "end_header\n"
    )
    path.write_bytes(header.encode() + rows.tobytes())
    return rows


def test_gaussians_come_with_colour_extent_and_opacity(tmp_path):
    rows = gaussians(tmp_path / "head.ply")
    scan = read(tmp_path / "head.ply")
    kept = np.isin(rows["x"], scan.vertices[:, 0].astype(np.float32))
    assert np.allclose(scan.colors[:, 0], np.clip(0.5 + 0.28209479 * rows["f_dc_0"][kept], 0, 1), atol=1e-5)
    assert np.allclose(scan.covariance, np.eye(3) * 1e-4, atol=1e-9)
    assert np.allclose(scan.opacity, 1 / (1 + np.exp(-3.0)))


def test_gaussians_without_an_extent_are_refused(tmp_path):
    gaussians(tmp_path / "head.ply", leave_out=("rot_3",))
    with pytest.raises(FormatError, match=r"expected 3D Gaussians with .*rot_3"):
        read(tmp_path / "head.ply")


def depth_of_ball() -> np.ndarray:
    row, column = np.mgrid[0:60, 0:80] + 0.5
    x, y = (column - 40) / 100, (row - 30) / 100
    radius = np.sqrt(x**2 + y**2)
    return np.where(radius < 0.25, 500 - 400 * np.sqrt(np.maximum(0.0625 - radius**2, 0)), 900).astype(np.uint16)


def test_a_depth_map_is_a_surface_in_metres_cut_at_jumps(tmp_path):
    cv2.imwrite(str(tmp_path / "depth.png"), depth_of_ball())
    scan = read(tmp_path / "depth.png", focal_px=100.0)
    assert scan.unit_m == 1.0
    corners = scan.vertices[scan.faces]
    assert np.abs(corners[..., 2].max(1) - corners[..., 2].min(1)).max() < 0.03
    pixels = 100 * scan.vertices[:, :2] / scan.vertices[:, 2:]
    assert np.abs(pixels - np.round(pixels * 2) / 2).max() < 1e-6


@pytest.mark.parametrize("focal", [0.0, -3.0, float("nan"), float("inf"), None])
def test_a_depth_map_needs_a_camera(tmp_path, focal):
    cv2.imwrite(str(tmp_path / "depth.png"), depth_of_ball())
    with pytest.raises(ConfigError, match="--focal-px"):
        read(tmp_path / "depth.png", focal_px=focal)


def write_views(folder, count=3, **changes):
    (folder / "images").mkdir()
    entry = {"camera_params": np.eye(4).flatten().tolist(), "fov": 30.0} | changes
    for k in range(count):
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "images" / f"{k:04d}_original.png")
    (folder / "camera_info.json").write_text(json.dumps({f"{k:04d}_original.png": entry for k in range(count)}))


def test_posed_pictures_have_their_cameras(tmp_path):
    write_views(tmp_path)
    views = read(tmp_path).views
    assert len(views) == 3 and np.isclose(float(views[0].camera.focal_px[0]), 16 / np.tan(np.radians(15)))


def test_pictures_of_transforms_json_lose_their_lens_s_distortion(tmp_path):
    """Each is a camera of its own, whatever folder it lies in; OpenGL's axes become ours."""
    pose = np.eye(4)
    pose[:3, 3] = 1, 2, 3
    dots = np.zeros((32, 32, 3), np.uint8)
    dots[:, 4] = 255
    frames = [{"file_path": f"{name}.png", "transform_matrix": pose.tolist()} for name in ("a/0", "a/1", "b/7")]
    for frame in frames:
        place = tmp_path / frame["file_path"]
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(dots).save(place)
    lens = {"fl_x": 30.0, "fl_y": 30.0, "cx": 16.0, "cy": 16.0, "w": 32, "h": 32, "k1": 0.3}
    (tmp_path / "transforms.json").write_text(json.dumps({**lens, "frames": frames}))
    views = read(tmp_path).views
    assert len(views) == 3 and views[0].camera.focal_px.tolist() == [30.0, 30.0]
    np.testing.assert_allclose(views[0].camera.camera_from_world.inverse().translation, [1, 2, 3], atol=1e-6)
    np.testing.assert_allclose(views[0].camera.camera_from_world.rotation, np.diag([1.0, -1.0, -1.0]), atol=1e-6)
    # x (1 + 0.3 x²) = (4.5 − 16) / 30 at x = −0.368: without distortion the line lies at 4.95.
    column = views[0].picture[16, :, 0].astype(float)
    assert abs((column * (np.arange(32) + 0.5)).sum() / column.sum() - 4.95) < 0.1


@pytest.mark.parametrize(
    ("change", "words"),
    [({"camera_params": [0.0] * 16}, "rigid motion"), ({"fov": 0.0}, "field of view"), ({"camera_params": [1.0, 2.0]}, "16 numbers")],
)
def test_cameras_that_are_none_are_named(tmp_path, change, words):
    write_views(tmp_path, **change)
    with pytest.raises(FormatError, match=words):
        read(tmp_path)


def test_a_missing_picture_is_named(tmp_path):
    write_views(tmp_path)
    (tmp_path / "images" / "0001_original.png").unlink()
    with pytest.raises(InputError, match=r"0001_original\.png"):
        read(tmp_path)


def test_an_empty_mesh_is_refused(tmp_path):
    (tmp_path / "head.obj").write_text("# nothing\n")
    with pytest.raises(FormatError):
        read(tmp_path / "head.obj")


def test_positions_that_are_no_numbers_are_counted(tmp_path):
    points = np.random.default_rng(0).standard_normal((300, 3))
    points[7, 1] = np.nan
    np.savetxt(tmp_path / "head.xyz", points)
    with pytest.raises(FormatError, match="found 1 of 300 that are not"):
        read(tmp_path / "head.xyz")


def test_few_points_are_no_head(tmp_path):
    np.savetxt(tmp_path / "head.xyz", np.eye(3))
    with pytest.raises(FormatError, match="at least 200 points, found 3"):
        read_cloud(tmp_path / "head.xyz")


def test_loose_fragments_are_no_surface(tmp_path):
    corners = np.random.default_rng(0).random((3000, 1, 3)) + 0.001 * np.eye(3)
    trimesh.Trimesh(corners.reshape(-1, 3), np.arange(9000).reshape(-1, 3), process=False).export(tmp_path / "head.ply")
    with pytest.raises(FormatError, match="3000 loose pieces"):
        read(tmp_path / "head.ply")


def test_small_crumbs_are_left_out_and_said(tmp_path):
    crumbs = np.random.default_rng(0).random((60, 1, 3)) + 0.001 * np.eye(3)
    whole = trimesh.util.concatenate([ball().subdivide(), trimesh.Trimesh(crumbs.reshape(-1, 3), np.arange(180).reshape(-1, 3), process=False)])
    whole.export(tmp_path / "head.ply")
    scan = read(tmp_path / "head.ply")
    assert len(scan.faces) == len(ball().subdivide().faces) and "left out 60 small loose pieces" in scan.notes


@pytest.mark.parametrize("name", ["head.docx", "head"])
def test_other_files_say_what_may_come(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match="expected a mesh, cloud or depth map"):
        read(tmp_path / name)


@pytest.mark.parametrize(("metres", "name"), [(1.1, "metres"), (0.00092, "millimetres"), (0.0105, "centimetres"), (0.024, "inches")])
def test_a_heads_size_says_the_unit(metres, name):
    assert unit_of(metres).name == name and unit_of(metres).known


def test_no_usual_unit_is_said_and_a_given_one_is_believed():
    assert not unit_of(0.05).known and "0.05 m" in unit_of(0.05).words
    assert unit_of(0.05, given=0.058).metres == 0.058
