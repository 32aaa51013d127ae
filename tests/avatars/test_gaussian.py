"""Gaussian avatars: splats on triangles, what trains them, and an avatar of a short clip."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headcast.avatars import Footage, load_avatar, save_avatar
from headcast.avatars.gaussian import GaussianConfig, gaussian_steps
from headcast.avatars.gaussian.adam import RowAdam
from headcast.avatars.gaussian.bound import BoundSplats, Motions
from headcast.avatars.gaussian.columns import COLOR, OPACITY, POSITION, ROTATION, SCALE, SHIFT_FROM, column_count
from headcast.avatars.gaussian.grow import grown
from headcast.avatars.gaussian.losses import structural_similarity
from headcast.avatars.gaussian.ride import ridden
from headcast.avatars.gaussian.shape import add_shape_gradient
from headcast.avatars.gaussian.triangles import TriangleFrames
from headcast.cli.main import main
from headcast.errors import ConfigError, FormatError, InputError
from headcast.evaluate.pictures import psnr_of, ssim
from headcast.geometry import Transform, matrix_from_axis_angle, matrix_from_quaternion
from headcast.heads import HeadPose
from headcast.render import splat_reference
from headcast.solve.step import follow
from headcast.store import AvatarPaths, read_arrays, read_json, write_arrays

MOTIONS = 2


@pytest.fixture(scope="module")
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def triangles(generator):
    """Nine corners, three triangles, about a centimetre large."""
    return 0.01 * torch.randn(9, 3, generator=generator), torch.arange(9).reshape(3, 3)


def rows(count, generator):
    values = 0.5 * torch.randn(count, column_count(MOTIONS), generator=generator)
    return BoundSplats(torch.randint(0, 3, (count,), generator=generator), values)


def twin(values, face, frames, motion, head_from_world, eye):
    """`ridden` in plain PyTorch."""
    shift = values[:, SHIFT_FROM : SHIFT_FROM + 3 * MOTIONS].reshape(-1, MOTIONS, 3)
    tint = values[:, SHIFT_FROM + 3 * MOTIONS :].reshape(-1, MOTIONS, 3)
    position = values[:, POSITION] + torch.einsum("m,smk->sk", motion, shift)
    turn, size = frames.rotation[face], frames.scale[face, None]
    means = frames.origin[face] + size * torch.einsum("sij,sj->si", turn, position)
    colors = values[:, COLOR].reshape(-1, 4, 3) + torch.nn.functional.pad(torch.einsum("m,smk->sk", motion, tint)[:, None], (0, 0, 0, 3))
    seen = splat_reference.view_colors(colors, head_from_world.points(means.detach()), head_from_world.points(eye[None])[0])
    rotation = turn @ matrix_from_quaternion(values[:, ROTATION])
    return means, rotation, size * values[:, SCALE].exp(), values[:, OPACITY.start].sigmoid(), seen


def test_one_pass_gives_the_twins_gaussians_and_gradients(triangles, generator):
    splats, motion, eye = rows(50, generator), torch.randn(MOTIONS, generator=generator), torch.randn(3, generator=generator)
    head = Transform(matrix_from_axis_angle(torch.randn(3, generator=generator)), torch.randn(3, generator=generator))
    frames = TriangleFrames.of(*triangles)
    single, double = splats.values.clone().requires_grad_(), splats.values.double().requires_grad_()
    found = ridden(single, splats.face, frames, motion, head, eye)
    found = (found.means, found.rotations, found.scales, found.opacities, found.colors)
    in_double = TriangleFrames(*(getattr(frames, name).double() for name in ("origin", "rotation", "scale")))
    right = twin(double, splats.face, in_double, motion.double(), Transform(head.rotation.double(), head.translation.double()), eye.double())
    weights = [torch.randn(part.shape, generator=generator) for part in found]
    sum((part * weight).sum() for part, weight in zip(found, weights)).backward()
    sum((part * weight).sum() for part, weight in zip(right, weights)).backward()
    for mine, its in zip(found, right):
        torch.testing.assert_close(mine.double(), its, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(single.grad.double(), double.grad, rtol=1e-3, atol=1e-5)


def test_splats_turn_with_the_mesh(triangles, generator):
    vertices, faces = triangles
    splats, motion, eye = rows(20, generator), torch.zeros(MOTIONS), torch.tensor([0.0, 0.0, 0.5])
    world_from_head = Transform(matrix_from_axis_angle(torch.tensor([0.3, -0.8, 0.2])), torch.tensor([0.1, 0.2, -0.3]))
    still = splats.posed(TriangleFrames.of(vertices, faces), motion, Transform.identity(), eye)
    moved = splats.posed(
        TriangleFrames.of(world_from_head.points(vertices), faces), motion, world_from_head.inverse(), world_from_head.points(eye[None])[0]
    )
    torch.testing.assert_close(moved.means, world_from_head.points(still.means), atol=1e-5, rtol=0)
    torch.testing.assert_close(moved.rotations, world_from_head.rotation @ still.rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(moved.colors, still.colors, atol=1e-4, rtol=0)


def test_a_triangle_without_area_gives_finite_frames():
    frames = TriangleFrames.of(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]))
    assert all(torch.isfinite(part).all() for part in (frames.origin, frames.rotation, frames.scale)) and frames.scale[0] > 0


def test_motions_of_the_training_poses_have_variance_one(generator):
    turned = Transform(matrix_from_axis_angle(0.1 * torch.randn(80, 3, generator=generator)), torch.zeros(80, 3))
    poses = HeadPose(torch.randn(80, 5, generator=generator), torch.zeros(80, 2, 3), turned)
    motions = Motions.of(poses, 3)
    motion = motions.of_pose(poses)
    assert motion.shape[1] >= 6
    torch.testing.assert_close(motion[:, :6].std(0), torch.ones(6), atol=0.15, rtol=0)
    still_head = motions.of_pose(replace(poses, world_from_head=Transform.identity(80)))
    assert torch.equal(still_head[:, :3], motion[:, :3]) and not torch.equal(still_head[:, 3:], motion[:, 3:])
    still = HeadPose(torch.zeros(8, 5), torch.zeros(8, 2, 3), Transform.identity(8))
    assert Motions.of(still, 3).of_pose(still).shape == (8, 0)


def test_similarity_is_what_is_measured_later_and_its_gradient_is_right(generator):
    a, b = (torch.rand(24, 31, 3, generator=generator) for _ in range(2))
    a = (0.3 * a + 0.7 * b).requires_grad_()
    value = structural_similarity(a, b)
    assert value.item() == pytest.approx(ssim(a.detach().numpy(), b.numpy()), abs=1e-5)
    value.backward()
    direction = torch.randn(a.shape, generator=generator)
    ahead, back = (float(structural_similarity(a.detach() + step * direction, b)) for step in (1e-3, -1e-3))
    assert (ahead - back) / 2e-3 == pytest.approx(float((a.grad * direction).sum()), rel=1e-2)


def test_gradients_of_what_keeps_splats_in_shape_are_autograds(generator):
    splats, config = rows(30, generator), GaussianConfig()
    values = (3 * splats.values).double().requires_grad_()
    anchor, largest, chosen = torch.zeros(30, 6), torch.full((30,), 0.6), torch.arange(30) % 3 > 0
    own, logs = values[chosen], values[chosen][:, SCALE]
    away = (own[:, POSITION].norm(dim=-1) - 1).clamp_min(0).square()
    wide = (logs.exp() - 0.6).clamp_min(0).square().sum(-1)
    slender = (logs.amax(-1) - logs.amin(-1) - np.log(8)).clamp_min(0).square()
    tone, calm = (own[:, part].square().sum(-1) for part in (slice(COLOR.start, COLOR.start + 3), slice(SHIFT_FROM, None)))
    loss = (config.stay * away + config.small * wide + config.round * slender + config.tone * tone + config.calm * calm).mean()
    loss.backward()
    single = values.detach().float().numpy()
    gradient = np.zeros_like(single)
    found = add_shape_gradient(single, anchor.numpy(), largest.numpy(), chosen.numpy(), config, gradient)
    assert found == pytest.approx(float(loss.detach()), rel=1e-4)
    np.testing.assert_allclose(gradient, values.grad.numpy(), rtol=1e-3, atol=1e-6)


def test_rows_move_as_adam_moves_them_and_the_others_keep_still(generator):
    values = torch.randn(5, 3, generator=generator)
    mine, its = values.numpy().copy(), values.clone().requires_grad_()
    optimiser, adam = torch.optim.Adam([its], lr=0.1, betas=(0.9, 0.99)), RowAdam.new(5, 3)
    taken = np.array([True, True, False, True, True])
    for _ in range(6):
        its.grad = torch.randn(5, 3, generator=generator)
        adam.step(mine, its.grad.numpy(), taken, np.full(3, 0.1, np.float32), 1.0)
        optimiser.step()
    np.testing.assert_allclose(mine[taken], its.detach().numpy()[taken], rtol=1e-4, atol=1e-5)
    assert np.array_equal(mine[2], values[2].numpy()) and adam.steps.tolist() == [6, 6, 0, 6, 6]


def test_growing_keeps_the_bound_and_what_is_seen(generator):
    splats = rows(40, generator)
    splats.values[:, OPACITY] = 1.0
    splats.values[:3, OPACITY] = -9.0
    splats.values[3:20, SCALE] = -3.0
    pull = torch.rand(40, generator=generator)
    change = grown(splats, pull, 39)
    assert len(change.splats) == 39 and len(change.parents) == 2 * 2
    assert not set(change.kept.tolist()) & {0, 1, 2} and pull[change.parents].min() > pull[change.kept].median()
    assert torch.equal(change.splats.values[: len(change.kept)], splats.values[change.kept])
    assert len(grown(splats, torch.zeros(40), 100).splats) == 37
    small = grown(splats.chosen(torch.arange(3, 5)), torch.tensor([1.0, 0.1]), 100)
    assert len(small.splats) == 2, "a tenth of two splats is none"


def test_halves_of_a_small_splat_cover_what_it_covered(generator):
    splats = rows(30, generator)
    splats.values[:, OPACITY], splats.values[:, SCALE] = 1.0, -3.0
    change = grown(splats, torch.arange(30.0), 60)
    halves = change.splats.values[len(change.kept) :]
    assert len(halves) == 6
    together = 1 - (1 - halves[:3, OPACITY].sigmoid()) * (1 - halves[3:, OPACITY].sigmoid())
    torch.testing.assert_close(together, torch.full((3, 1), 1.0).sigmoid(), atol=1e-4, rtol=0)
    centre = (halves[:3, POSITION] + halves[3:, POSITION]) / 2
    torch.testing.assert_close(centre, splats.values[change.parents[:3], POSITION], atol=1e-5, rtol=0)


CONFIG = GaussianConfig(steps=60, most_splats=15_000)


@pytest.fixture(scope="module")
def built(parsed_run):
    seen = []
    footage = Footage.of(parsed_run, largest_px=128)
    avatar = follow(gaussian_steps(footage, range(10), CONFIG), seen.append)
    return avatar, footage, seen


def quality(avatar, footage, frames):
    return np.mean(
        [
            psnr_of(float(((avatar.render(shot.pose, shot.camera).over(torch.ones(3)).numpy() - shot.on_white(shot.head)) ** 2).mean()))
            for shot in footage.shots(frames)
        ]
    )


def test_training_brings_the_avatar_nearer_to_frames_it_has_not_seen(built):
    avatar, footage, seen = built
    start = follow(gaussian_steps(footage, range(10), replace(CONFIG, steps=1)))
    assert quality(avatar, footage, (10, 11)) > quality(start, footage, (10, 11)) + 1.0
    assert quality(avatar, footage, (10, 11)) > 24.0
    steps = [step for step in seen if step.stage == "splats"]
    assert [step.done for step in steps] == list(range(1, 61)) and steps[-1].terms["splats"] <= CONFIG.most_splats


def test_the_same_seed_builds_the_same_avatar(built):
    avatar, footage, _ = built
    again = follow(gaussian_steps(footage, range(10), CONFIG))
    assert torch.equal(again.splats.values, avatar.splats.values)
    other = follow(gaussian_steps(footage, range(10), replace(CONFIG, seed=1)))
    assert not torch.equal(other.splats.values[:100], avatar.splats.values[:100])


def test_a_portrait_is_a_picture_with_opacity_and_depth(built):
    avatar, footage, _ = built
    shot = next(footage.shots([11]))
    portrait = avatar.render(shot.pose, shot.camera)
    assert portrait.color.shape == (*shot.camera.size, 3) and portrait.color.min() >= 0 and portrait.color.max() <= 1
    face = torch.from_numpy(shot.head > 0.99)
    assert portrait.alpha[face].mean() > 0.9 and portrait.alpha[~torch.from_numpy(shot.person > 0)].mean() < 0.1
    head_depth = float(shot.camera.camera_from_world.points(shot.pose.world_from_head.translation[None])[0, 2])
    assert portrait.depth[face].median() == pytest.approx(head_depth, abs=0.2)


def test_an_avatar_read_from_its_folder_shows_the_same(built, tmp_path):
    avatar, footage, _ = built
    paths = AvatarPaths(tmp_path)
    save_avatar(avatar, paths, {}, {})
    read, shot = load_avatar(tmp_path), next(footage.shots([5]))
    assert read.kind == "gaussian"
    assert torch.equal(read.render(shot.pose, shot.camera).color, avatar.render(shot.pose, shot.camera).color)


def test_the_command_builds_it_and_writes_its_folder(parsed_run, tmp_path):
    folder = tmp_path / "avatar"
    assert main(["avatar", str(parsed_run.paths.root), "--out", str(folder), "--kind", "gaussian", "--gaussian.steps", "3"]) == 0
    paths = AvatarPaths(folder)
    assert read_json(paths.config)["gaussian"]["steps"] == 3 and read_json(paths.about)["details"]["avatar"] == "gaussian"
    assert load_avatar(folder).kind == "gaussian"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("splats", lambda values: values[:, :-1], "columns of splats"),
        ("face", lambda values: values + 20_000, "splats on triangles 0 to"),
        ("offsets", lambda values: values[1:], "offsets"),
    ],
)
def test_a_broken_file_is_named(built, tmp_path, name, change, message):
    paths = AvatarPaths(tmp_path)
    save_avatar(built[0], paths, {}, {})
    arrays = dict(read_arrays(paths.arrays))
    write_arrays(paths.arrays, {**arrays, name: np.ascontiguousarray(change(arrays[name]))})
    with pytest.raises(FormatError, match=f"{message}.*avatar.npz"):
        load_avatar(tmp_path)


def test_nothing_to_train_with_is_said(built):
    with pytest.raises(InputError, match="found none in"):
        follow(gaussian_steps(built[1], (), CONFIG))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"minutes": 0.0}, {"motions": -1}, {"most_splats": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        GaussianConfig(**wrong)
