"""Synthetic clips: the picture shows what the truth says, and the seed decides everything."""

from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from PIL import Image

from headcast.capture.cameras import CameraFiles
from headcast.errors import ConfigError, FormatError, InputError
from headcast.evaluate import Truth
from headcast.evaluate.synth import MotionConfig, SynthConfig, draw_frames, prepare_folder, synthetic_clip, truth_of, write_clip
from headcast.evaluate.synth.drawing import draw_head
from headcast.evaluate.synth.look import random_look
from headcast.evaluate.synth.motion import synthetic_pose
from headcast.evaluate.synth.noise import smooth_curve, space_noise
from headcast.evaluate.synth.scene import around, lamp, random_background, random_camera, random_light
from headcast.evaluate.synth.skin import paint_albedo
from headcast.evaluate.synth.surface_map import surface_map, texels_of
from headcast.geometry import Camera, Mesh, axis_angle_from_matrix
from headcast.heads import open_head
from headcast.render import interpolate, rasterize, sample_texture, sh_basis, shade, smooth_normals
from headcast.solve.step import follow

_SMALL = SynthConfig(frames=6, size=(96, 80), texture_px=128, seed=4)


@pytest.fixture(scope="module")
def clip():
    return synthetic_clip(open_head(), _SMALL)


@pytest.fixture(scope="module")
def frames(clip):
    return list(draw_frames(clip))


@pytest.fixture(scope="module")
def truth(clip, frames):
    return truth_of(clip, frames)


def test_a_seed_decides_every_pixel(frames):
    again = list(draw_frames(synthetic_clip(open_head(), _SMALL)))
    other = next(draw_frames(synthetic_clip(open_head(), replace(_SMALL, seed=5))))
    assert all((a.image == b.image).all() and (a.visible == b.visible).all() for a, b in zip(frames, again))
    assert (other.image != frames[0].image).mean() > 0.5


def test_one_setting_leaves_the_rest_of_the_clip_alone(clip):
    still = synthetic_clip(open_head(), replace(_SMALL, motion=MotionConfig(yaw_deg=0.0), background="plain"))
    assert (still.identity == clip.identity).all() and (still.look.skin == clip.look.skin).all()
    assert (still.camera.focal_px == clip.camera.focal_px).all() and (still.albedo == clip.albedo).all()


def test_visible_vertices_lie_on_the_head_in_the_picture(clip, frames, truth):
    empty = replace(clip, config=replace(_SMALL, noise=0.0, blur_px=0.0), background=np.zeros_like(clip.background))
    for idx, frame in enumerate(draw_frames(empty)):
        places = truth.camera.project(torch.from_numpy(frame.vertices)).numpy()[frame.visible]
        column, row = np.floor(places).astype(int).T
        inside = (column >= 1) & (column < 79) & (row >= 1) & (row < 95)
        head = np.pad(frame.image.sum(-1) > 0, 1)
        around = np.logical_or.reduce([head[row[inside] + dy, column[inside] + dx] for dy in range(3) for dx in range(3)])
        assert around.all(), "a visible vertex has a pixel of the head at it or beside it"
        assert (frame.visible == frames[idx].visible).all()


def test_the_back_of_the_head_is_hidden_and_the_face_seen_from_the_front():
    config = replace(_SMALL, motion=MotionConfig(yaw_deg=5.0, pitch_deg=2.0, roll_deg=2.0), frames=1)
    clip = synthetic_clip(open_head(), config)
    frame = next(draw_frames(clip))
    behind = clip.model.template.numpy()[:, 2] < -0.12
    assert not frame.visible[behind].any()
    truth = truth_of(clip, [frame])
    assert frame.visible[truth.face_region].mean() > 0.6


def test_turns_reach_their_bound_and_stay_within_it():
    model = open_head()
    config = MotionConfig(yaw_deg=60.0, pitch_deg=10.0, roll_deg=5.0)
    clip = synthetic_clip(model, replace(_SMALL, frames=120, motion=config))
    truth_skull = truth_of(clip, [next(draw_frames(clip))] * 120).world_from_skull
    yaw = np.rad2deg(torch.atan2(truth_skull.rotation[:, 0, 2], truth_skull.rotation[:, 2, 2]).numpy())
    # The neck and the body turn one after the other; with pitch and roll between them yaw is not exactly their sum.
    assert 54 < np.abs(yaw).max() < 66
    step = axis_angle_from_matrix(truth_skull.rotation[:-1].transpose(-1, -2) @ truth_skull.rotation[1:]).norm(dim=-1)
    assert float(step.max()) < np.deg2rad(12), "heads do not jump"


def test_expressions_stay_in_range_and_move_as_people_do():
    model = open_head()
    names = model.expression_names
    pose = synthetic_pose(model, 250, 25.0, 0.6, MotionConfig(), np.random.default_rng(3))
    curves = dict(zip(names, pose.expression.numpy().T))
    assert float(pose.expression.min()) >= 0 and float(pose.expression.max()) <= 1
    assert (curves["mouthClose"] <= curves["jawOpen"] + 1e-6).all(), "lips that press through each other"
    assert curves["eyeBlinkLeft"].max() > 0.95 and np.median(curves["eyeBlinkLeft"]) < 0.1
    assert (np.minimum(curves["eyeLookOutLeft"], curves["eyeLookInLeft"]) < 1e-6).all()
    np.testing.assert_allclose(curves["eyeLookOutLeft"], curves["eyeLookInRight"], atol=1e-6)
    large = [name for name in names if curves[name].std() > 0.05]
    assert len(large) > 30


def test_a_mask_does_not_move():
    pose = synthetic_pose(open_head(), 50, 25.0, 0.6, MotionConfig(expression=0.0, gaze=0.0), np.random.default_rng(3))
    moving = pose.expression.std(0) > 1e-6
    assert {open_head().expression_names[idx] for idx in torch.nonzero(moving)[:, 0]} <= {"eyeBlinkLeft", "eyeBlinkRight"}


@pytest.mark.parametrize("kind", ["hand", "microphone"])
def test_what_gets_in_the_way_hides_vertices(clip, kind):
    config = replace(_SMALL, occluders=(kind,), motion=MotionConfig(yaw_deg=5.0))
    free = list(draw_frames(synthetic_clip(open_head(), replace(config, occluders=()))))
    covered = list(draw_frames(synthetic_clip(open_head(), config)))
    lost = [int((a.visible & ~b.visible).sum()) for a, b in zip(free, covered)]
    assert max(lost) > 20
    assert not any((b.visible & ~a.visible).any() for a, b in zip(free, covered))


def test_glasses_are_drawn_and_hide_no_vertices(clip, frames):
    with_glasses = list(draw_frames(synthetic_clip(open_head(), replace(_SMALL, occluders=("glasses",)))))
    assert all((a.visible == b.visible).all() for a, b in zip(frames, with_glasses))
    assert all((a.image != b.image).any() for a, b in zip(frames, with_glasses))


def test_rays_see_what_the_renderer_sees(clip):
    """The fused loop over rays against the renderer's own steps."""
    vertices = clip.model.shaped(clip.identity).posed(clip.model.neutral_pose()).vertices + torch.tensor([0.0, 0.0, -0.5])
    camera = Camera.looking_along_minus_z(90.0, (64, 64))
    albedo = torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(0))
    drawing = draw_head(clip.model, vertices, camera, albedo, clip.light, 2)
    mesh = Mesh(vertices, clip.model.faces)
    rendering = rasterize(mesh, camera.resized((128, 128)))
    uv = interpolate(clip.model.uv, rendering, clip.model.uv_faces)
    color = sample_texture(albedo, uv, face=rendering.face) * shade(smooth_normals(mesh, rendering), clip.light).clamp_min(0.02)
    color = (color * (rendering.face >= 0)[..., None]).reshape(64, 2, 64, 2, 3).mean((1, 3)).numpy()
    np.testing.assert_allclose(drawing.over(np.zeros((64, 64, 3), np.float32)), color, atol=2e-5)


def test_a_lamp_lights_what_faces_it():
    rng = np.random.default_rng(0)
    normals = rng.standard_normal((2000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    direction = np.array([0.3, 0.5, 0.81]) / np.linalg.norm([0.3, 0.5, 0.81])
    light = sh_basis(torch.from_numpy(normals)).numpy() @ lamp(direction, np.array([1.0, 0.5, 0.0]))
    exact = np.clip(normals @ direction, 0, None)
    # Second order keeps 99 % of the energy of a matt surface's answer (Ramamoorthi & Hanrahan 2001); the largest error is at the edge.
    assert np.abs(light[:, 0] - exact).mean() < 0.035 and np.abs(light[:, 0] - exact).max() < 0.1
    np.testing.assert_allclose(light[:, 1], 0.5 * light[:, 0])
    assert not light[:, 2].any()


def test_faces_are_neither_dark_nor_burnt_out():
    front = torch.tensor([[0.0, 0.0, 1.0]])
    for seed in range(20):
        shading = sh_basis(front) @ random_light(0.8, np.random.default_rng(seed))
        assert float(shading.min()) > 0.15 and float(shading.max()) < 1.3


def test_the_camera_sees_the_head_at_the_asked_size():
    for seed in range(5):
        camera, distance = random_camera((200, 300), 0.5, np.random.default_rng(seed))
        focal = float(camera.focal_px[0])
        assert 0.9 <= focal / 300 <= 2.2 and abs(focal * 0.24 / distance - 100) < 1e-3


@pytest.mark.parametrize("kind", ["plain", "noise", "room"])
def test_backgrounds_are_pictures(kind):
    picture = random_background(kind, (40, 60), np.random.default_rng(1))
    assert picture.shape == (40, 60, 3) and picture.min() >= 0 and picture.max() <= 1 and picture.std() > 1e-3


def test_noise_has_the_stated_size_and_strength():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1, (20000, 3))
    value = space_noise(points, 0.05, rng)
    assert abs(value.std() - 1) < 0.25 and abs(value.mean()) < 0.1
    generator = np.random.default_rng(7)
    near, far = space_noise(points, 0.05, generator), space_noise(points + np.array([0.001, 0, 0]), 0.05, np.random.default_rng(7))
    again = space_noise(points, 0.05, np.random.default_rng(7))
    assert (near == again).all() and np.abs(near - far).mean() < 0.15
    curve = smooth_curve(200, 25.0, rng)
    assert abs(np.abs(curve).max() - 1) < 1e-9 and np.abs(np.diff(curve)).max() < 0.4


def test_painted_parts_have_their_colours():
    model = open_head()
    surface = surface_map(model, 512)
    looks = [random_look(np.random.default_rng(seed)) for seed in range(3)]
    for look in (replace(look, stubble=0.0, lip_redness=1.0, freckles=0.0) for look in looks):
        albedo = paint_albedo(model, look, 512, np.random.default_rng(0))
        assert albedo.min() > 0 and albedo.max() < 1
        colors = albedo[surface.row, surface.column]
        mouth, nose, eyes = (colors[texels_of(model, surface, name)].mean(0) for name in ("lips", "nose", "eyeballs"))
        assert mouth[0] / mouth[1] > nose[0] / nose[1], "lips are redder than the nose"
        assert eyes.mean() > look.skin.mean() or look.skin.mean() > 0.5, "eyes are mostly white"
    assert np.ptp([look.skin.mean() for look in looks]) > 0.05


def test_models_without_landmarks_are_refused():
    with pytest.raises(InputError, match="mediapipe_478"):
        synthetic_clip(replace(open_head(), landmarks={}), _SMALL)
    with pytest.raises(InputError, match="ibug_68"):
        paint_albedo(replace(open_head(), landmarks={}), random_look(np.random.default_rng(0)), 64, np.random.default_rng(0))


@pytest.mark.parametrize("change", [{"frames": 0}, {"size": (8, 8)}, {"crf": 99}, {"light": 2.0}, {"supersampling": 0}])
def test_settings_out_of_range_are_refused(change):
    with pytest.raises(ConfigError, match=next(iter(change)).replace("size", "image size")):
        SynthConfig(**change)


def test_truth_survives_its_file(truth, tmp_path):
    truth.save(tmp_path / "truth.npz")
    back = Truth.load(tmp_path / "truth.npz")
    assert (back.visible == truth.visible).all() and (back.vertices == truth.vertices).all()
    assert back.expression_names == truth.expression_names and back.camera.size == truth.camera.size
    torch.testing.assert_close(back.world_from_skull.rotation, truth.world_from_skull.rotation)
    arrays = dict(np.load(tmp_path / "truth.npz"))
    del arrays["gaze"]
    np.savez(tmp_path / "less.npz", **arrays)
    with pytest.raises(FormatError, match="gaze"):
        Truth.load(tmp_path / "less.npz")


def test_truth_agrees_with_the_model(clip, truth):
    model = clip.model
    posed = model.shaped(torch.from_numpy(truth.identity)).posed(clip.pose).vertices
    np.testing.assert_allclose(posed.numpy(), truth.vertices, atol=1e-6)
    rigid = model.skinning_weights[:, model.joint_names.index("neck")] > 0.999
    skull = truth.world_from_skull.inverse().points(posed)[:, rigid]
    neutral = model.shaped(torch.from_numpy(truth.identity)).vertices[rigid]
    still = (skull - neutral).norm(dim=-1).median(0).values
    assert float(still.median()) < 1e-3, "seen from the skull, most of the skull does not move"


def test_a_clip_is_written_as_video_or_pictures(clip, tmp_path):
    paths = follow(write_clip(clip, tmp_path / "video"))
    with av.open(str(paths.video)) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == 6 and decoded[0].shape == (96, 80, 3)
    drawn = [frame.image for frame in draw_frames(clip)]
    assert np.abs(decoded[3].astype(float) - drawn[3]).mean() < 6
    assert Truth.load(paths.truth).frame_count == 6 and paths.albedo_picture.is_file()
    pictures = follow(write_clip(replace(clip, config=replace(_SMALL, png=True)), tmp_path / "pictures"))
    assert (np.asarray(Image.open(pictures.picture(3))) == drawn[3]).all()


def test_only_a_synthetic_clip_is_overwritten(clip, tmp_path):
    follow(write_clip(clip, tmp_path / "clip"))
    with pytest.raises(InputError, match="--overwrite"):
        prepare_folder(tmp_path / "clip", overwrite=False)
    prepare_folder(tmp_path / "clip", overwrite=True)
    assert not any((tmp_path / "clip").iterdir())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    with pytest.raises(InputError):
        prepare_folder(tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep"
    with pytest.raises(InputError, match="found a file"):
        prepare_folder(tmp_path / "mine" / "letter.txt", overwrite=True)


def test_cameras_stand_on_an_arc_and_look_at_the_head():
    first = Camera.looking_along_minus_z(300.0, (100, 120))
    cameras = around(first, 8, 120.0, 0.6)
    target = torch.tensor([[0.0, 0.0, -0.6]])
    for camera in cameras:
        torch.testing.assert_close(camera.project(target)[0], torch.tensor([60.0, 50.0]), atol=1e-3, rtol=0)
        place = camera.camera_from_world.inverse().translation
        assert float((place - target[0]).norm()) == pytest.approx(0.6, abs=1e-5)
        assert abs(np.degrees(np.arctan2(place[0], place[2] + 0.6))) < 60.5
        assert float(torch.det(camera.camera_from_world.rotation)) == pytest.approx(1, abs=1e-5)
    assert cameras[0] is first


def test_a_rig_is_a_video_per_camera_and_a_camera_file(tmp_path):
    config = SynthConfig(frames=2, size=(64, 64), cameras=2, texture_px=128)
    paths = follow(write_clip(synthetic_clip(open_head(), config), tmp_path))
    files = CameraFiles.load(paths.cameras)
    assert [camera.name for camera in files.cameras] == ["camera_00", "camera_01"]
    assert all((tmp_path / camera.pictures).is_file() for camera in files.cameras)
    with pytest.raises(ConfigError, match="--png"):
        SynthConfig(cameras=2, png=True)
