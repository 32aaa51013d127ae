"""Pictures become a video: sound, layers, backgrounds, cameras around a head."""

from dataclasses import dataclass, field
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch

from headcast.animate import AnimateConfig, CameraPath, Driver, Shot, background_of, film_steps, shots_of
from headcast.animate.camera_paths import around, turned_about, turns_about
from headcast.avatars import Portrait
from headcast.avatars.rest import AtRest
from headcast.capture.cameras import CameraFile, CameraFiles
from headcast.capture.sound import has_sound
from headcast.errors import ConfigError, FormatError, InputError
from headcast.export import Performance
from headcast.geometry import Camera, Transform, matrix_from_axis_angle
from headcast.heads import HeadPose, open_head
from headcast.solve.step import follow


@dataclass
class RedSquare:
    """A stand-in for an avatar: the left half of every picture is red and half seen through."""

    seen: list[tuple[HeadPose, Camera]] = field(default_factory=list)

    def render(self, pose: HeadPose, camera: Camera) -> Portrait:
        self.seen.append((pose, camera))
        alpha = torch.zeros(camera.size)
        alpha[:, : camera.size[1] // 2] = 0.5
        color = alpha[..., None] * torch.tensor([1.0, 0.0, 0.0])
        return Portrait(color, alpha, torch.where(alpha > 0, 0.7321, 0.0))


@pytest.fixture(scope="module")
def model():
    return open_head()


@pytest.fixture(scope="module")
def rest(model):
    pose = model.neutral_pose()
    world = Transform(matrix_from_axis_angle(torch.tensor([0.0, 0.2, 0.0])), torch.tensor([0.02, 0.0, -0.7]))
    return AtRest(HeadPose(pose.expression, pose.joint_rotations, world), Camera.looking_along_minus_z(80.0, (48, 64)))


def nodding(model, frames: int, fps: float = 25.0) -> Driver:
    pose = model.neutral_pose(frames)
    turn = matrix_from_axis_angle(torch.linspace(0, 0.4, frames)[:, None] * torch.tensor([1.0, 0.0, 0.0]))
    facing = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    moved = HeadPose(pose.expression, pose.joint_rotations, Transform(turn @ facing, torch.zeros(frames, 3)))
    still = model.neutral_pose()
    return Driver(Performance(np.arange(frames) / fps, moved), HeadPose(still.expression, still.joint_rotations, Transform(facing, torch.zeros(3))))


def shots(count: int, size=(48, 64)) -> list[Shot]:
    camera, pose = Camera.looking_along_minus_z(80.0, size), open_head().neutral_pose()
    return [Shot(frame / 25, pose, camera) for frame in range(count)]


def test_the_video_shows_the_avatar_before_the_background(tmp_path):
    follow(film_steps(RedSquare().render, shots(5), tmp_path / "out.mp4", torch.tensor([0.0, 0.0, 1.0])))
    with av.open(str(tmp_path / "out.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == 5 and pictures[0].shape == (48, 64, 3)
    np.testing.assert_allclose(pictures[2][24, 10], [128, 0, 128], atol=12)
    np.testing.assert_allclose(pictures[2][24, 54], [0, 0, 255], atol=12)


def test_layers_hold_what_the_video_loses(tmp_path):
    follow(film_steps(RedSquare().render, shots(2), tmp_path / "out.mp4", torch.ones(3), None, ("color", "alpha", "depth"), tmp_path / "layers"))
    color = cv2.imread(str(tmp_path / "layers/color/00001.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(color[24, 10], [0, 0, 255, 128])
    np.testing.assert_array_equal(color[24, 54], [0, 0, 0, 0])
    assert cv2.imread(str(tmp_path / "layers/alpha/00000.png"), cv2.IMREAD_UNCHANGED)[24, 10] == 128
    assert cv2.imread(str(tmp_path / "layers/depth/00000.png"), cv2.IMREAD_UNCHANGED)[24, 10] == 7321


def test_odd_sizes_get_a_row_more(tmp_path):
    follow(film_steps(RedSquare().render, shots(2, size=(47, 63)), tmp_path / "out.mp4", torch.ones(3)))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert (container.streams.video[0].height, container.streams.video[0].width) == (48, 64)


@pytest.mark.parametrize(("codec", "suffix"), [("aac", "mp4"), ("pcm_s16le", "mkv")])
def test_sound_goes_along(tmp_path, codec, suffix):
    source = tmp_path / f"sound.{suffix}"
    with av.open(str(source), "w") as container:
        stream = container.add_stream(codec, rate=16000, layout="mono")
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)).astype(np.int16)
        for start in range(0, 16000, 1000):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1000], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert has_sound(source)
    follow(film_steps(RedSquare().render, shots(20), tmp_path / "out.mp4", torch.ones(3), source))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert len(list(container.decode(video=0))) == 20
    with av.open(str(tmp_path / "out.mp4")) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]).astype(np.float64)
    rate = 16000
    assert 0.7 < len(heard) / rate < 0.95
    spectrum = np.abs(np.fft.rfft(heard[2000:10000]))
    assert abs(np.fft.rfftfreq(8000, 1 / rate)[spectrum.argmax()] - 440) < 5


def test_a_picture_has_no_sound(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    assert not has_sound(tmp_path / "a.png") and not has_sound(tmp_path / "missing.mp4")


def test_nothing_to_show_is_said(tmp_path):
    with pytest.raises(InputError, match="at least one moment"):
        follow(film_steps(RedSquare().render, [], tmp_path / "out.mp4", torch.ones(3)))


def test_an_interrupted_film_leaves_no_half_video(tmp_path):
    steps = film_steps(RedSquare().render, shots(9), tmp_path / "out.mp4", torch.ones(3))
    next(steps)
    steps.close()
    assert not list(tmp_path.glob("*.mp4"))


def test_a_camera_around_a_head_sees_what_a_camera_sees_of_a_turned_head(rest):
    points = rest.pose.world_from_head.points(0.1 * torch.randn(20, 3, generator=torch.Generator().manual_seed(0)))
    middle, angles = rest.pose.world_from_head.translation, np.array([[0.5, 0.2]])
    moved = around(rest.camera, middle, angles)[0]
    turns = turns_about(rest.camera, angles)
    turned = turned_about(Transform(torch.eye(3)[None], torch.zeros(1, 3)), middle, turns)[0].points(points)
    torch.testing.assert_close(moved.project(points), rest.camera.project(turned), atol=1e-3, rtol=0)


@pytest.mark.parametrize("motion", ["still", "orbit", "turntable", "spiral"])
def test_the_head_stays_in_the_picture_on_every_path(model, rest, motion):
    made = shots_of(model, rest, nodding(model, 26), "", AnimateConfig(path=CameraPath(motion, period_s=1.0)))
    middle = model.template.mean(0)
    for shot in made:
        x, y = shot.camera.project(shot.pose.world_from_head.points(middle[None]))[0].tolist()
        assert 8 < x < 56 and 4 < y < 44
    moves = any(not torch.equal(shot.camera.camera_from_world.rotation, made[0].camera.camera_from_world.rotation) for shot in made)
    assert moves == (motion in ("orbit", "spiral"))


def test_a_turntable_shows_the_back_after_half_a_round(model, rest):
    made = shots_of(model, rest, nodding(model, 26), "", AnimateConfig(path=CameraPath("turntable", period_s=1.0), seconds=0.5, fps=10.0))
    first, half = (shot.pose.world_from_head.rotation @ torch.tensor([0.0, 0.0, 1.0]) for shot in (made[0], made[5]))
    assert float(first[2]) > 0.9 and float(half[2]) < -0.8


def test_any_length_and_frame_rate(model, rest):
    driver = nodding(model, 26)
    assert [round(shot.time_s * 25) for shot in shots_of(model, rest, driver, "", AnimateConfig())] == list(range(26))
    assert len(shots_of(model, rest, driver, "", AnimateConfig(fps=50.0))) == 51
    assert len(shots_of(model, rest, driver, "", AnimateConfig(start_s=0.5, seconds=0.2))) == 6
    longer = shots_of(model, rest, driver, "", AnimateConfig(seconds=2.0))
    assert len(longer) == 51
    torch.testing.assert_close(longer[-1].pose.world_from_head.rotation, longer[25].pose.world_from_head.rotation)


def test_the_driver_that_the_avatar_was_built_from_is_taken_as_it_is(model, rest):
    driver = nodding(model, 5)
    same = Driver(driver.performance, driver.rest, None, "abc")
    shot = shots_of(model, rest, same, "abc", AnimateConfig())[2]
    expected = rest.camera.camera_from_world.inverse() @ driver.performance.pose.world_from_head[2]
    torch.testing.assert_close(shot.pose.world_from_head.matrix(), expected.matrix(), atol=1e-5, rtol=0)
    put_on_top = shots_of(model, rest, driver, "abc", AnimateConfig())[0]
    torch.testing.assert_close(put_on_top.pose.world_from_head.matrix(), rest.pose.world_from_head.matrix(), atol=1e-5, rtol=0)


def test_another_size_keeps_the_head_in_the_middle(model, rest):
    shot = shots_of(model, rest, nodding(model, 2), "", AnimateConfig(size=(100, 100)))[0]
    assert shot.camera.size == (100, 100)
    middle = rest.pose.world_from_head.translation[None]
    own, other = rest.camera.project(middle)[0], shot.camera.project(middle)[0]
    scale = 100 / 64
    torch.testing.assert_close(other, own * scale + torch.tensor([0.0, (100 - 48 * scale) / 2]), atol=0.05, rtol=0)


def test_cameras_of_a_camera_file_are_followed(model, rest, tmp_path):
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = [0, 0.1, 0.2]
    files = CameraFiles(tmp_path, (CameraFile("left", "left.mp4", np.array([90.0, 90.0]), None, (60, 80), camera_from_world=poses),))
    files.save(tmp_path / "cameras.json")
    made = shots_of(model, rest, nodding(model, 5), "", AnimateConfig(camera=tmp_path / "cameras.json#left"))
    assert made[0].camera.size == (60, 80)
    np.testing.assert_allclose([float(shot.camera.camera_from_world.translation[0]) for shot in made], [0, 0.1, 0.2, 0.2, 0.2], atol=1e-6)


def test_a_camera_without_a_pose_is_refused(model, rest, tmp_path):
    CameraFiles(tmp_path, (CameraFile("left", "left.mp4"),)).save(tmp_path / "cameras.json")
    with pytest.raises(InputError, match="camera_from_world"):
        shots_of(model, rest, nodding(model, 2), "", AnimateConfig(camera=tmp_path / "cameras.json#left"))
    with pytest.raises(InputError, match=r"cameras\.json#left"):
        shots_of(model, rest, nodding(model, 2), "", AnimateConfig(camera=tmp_path / "cameras.json"))


@pytest.mark.parametrize("name", ["white", "black", "green", "#102030"])
def test_backgrounds_by_name(name):
    assert background_of(name, (4, 4)).shape == (3,)


def test_a_picture_covers_the_background(tmp_path):
    picture = np.zeros((10, 40, 3), np.uint8)
    picture[:, 15:25] = (255, 0, 0)  # blue in OpenCV's order
    cv2.imwrite(str(tmp_path / "back.png"), picture)
    shown = background_of(str(tmp_path / "back.png"), (20, 20))
    assert shown.shape == (20, 20, 3)
    np.testing.assert_allclose(shown[10, 10].numpy(), [0, 0, 1], atol=0.02)


def test_checkers_are_two_greys():
    assert len(torch.unique(background_of("checker", (64, 64)))) == 2


@pytest.mark.parametrize("name", ["mauve", "#12345", "missing.png"])
def test_other_backgrounds_are_refused(name):
    with pytest.raises(InputError, match="background"):
        background_of(name, (4, 4))


@pytest.mark.parametrize("settings", [{"fps": 0.0}, {"fps": float("nan")}, {"size": (8, 8)}, {"seconds": -1.0}, {"start_s": -0.1}])
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigError):
        AnimateConfig(**settings)


def test_a_start_behind_the_end_is_refused(model, rest):
    with pytest.raises(ConfigError, match="start_s"):
        shots_of(model, rest, nodding(model, 5), "", AnimateConfig(start_s=3.0))


def test_rest_is_kept_on_disk(model, rest, tmp_path):
    rest.save(tmp_path / "rest.npz")
    again = AtRest.load(tmp_path / "rest.npz", model)
    torch.testing.assert_close(again.pose.world_from_head.matrix(), rest.pose.world_from_head.matrix())
    assert again.camera.size == rest.camera.size
    (tmp_path / "rest.npz").write_bytes(b"no")
    with pytest.raises(FormatError):
        AtRest.load(tmp_path / "rest.npz", model)
