"""Mesh avatars: their surface, their outline, textures that follow features, and the whole avatar on pictures that were held out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headcast.avatars import BaselineAvatar, Footage, load_avatar, save_avatar
from headcast.avatars.mesh.build import MeshConfig, mesh_steps, solid_texture
from headcast.avatars.mesh.bust import Bust
from headcast.avatars.mesh.features import PoseFeatures
from headcast.avatars.mesh.mesh_avatar import MeshAvatar
from headcast.avatars.mesh.outline import grown
from headcast.avatars.mesh.texels import CHANNELS, Equations, add_equations, find_taps
from headcast.errors import ConfigError, FormatError
from headcast.geometry import Mesh, edges_of, vertex_normals
from headcast.heads import open_head
from headcast.render import rasterize
from headcast.solve.step import follow
from headcast.store import AvatarPaths, write_arrays

SMALL = MeshConfig(components=2, most_frames=10, outline_frames=3, outline_rounds=2, refinements=1, texture_px=64)


@pytest.fixture(scope="module")
def built(parsed_run):
    return follow(mesh_steps(Footage.of(parsed_run, around_head=True), range(10), SMALL))


def _held_out_error(avatar, frame):
    shown = avatar.render(frame.pose, frame.camera).over(torch.ones(3)).numpy()
    return float(((shown - frame.on_white(frame.head)) ** 2).mean())


def test_the_added_neck_closes_on_the_models_own():
    bust, model = Bust.of(open_head()), open_head()
    count = len(model.template)
    across = [edge for edge in edges_of(bust.faces).tolist() if edge[0] < count <= edge[1]]
    rim = int(model.regions["boundary"].sum())
    assert {a for a, _ in across} == set(np.flatnonzero(model.regions["boundary"].numpy()))
    assert len(bust.rim) % rim == 0 and bust.uv_faces.max() == len(bust.uv) - 1
    assert bust.uv.min() >= 0 and bust.uv.max() <= 1


def test_the_added_neck_shows_its_outside():
    bust = Bust.of(open_head())
    rest = bust.posed(torch.zeros(1), torch.zeros(bust.vertex_count, 3), bust.model.neutral_pose())
    added = rest[len(bust.model.template) :]
    outward = added - added.mean(0)
    normals = vertex_normals(rest, bust.faces)[len(bust.model.template) :]
    assert ((normals * outward)[:, [0, 2]].sum(1) > 0).float().mean() > 0.9


def test_a_model_without_an_open_neck_is_taken_as_it_is():
    model = open_head()
    closed = replace(model, regions={**model.regions, "boundary": torch.zeros(len(model.template), dtype=torch.bool)})
    bust = Bust.of(closed)
    assert bust.vertex_count == len(model.template) and torch.equal(bust.uv, model.uv) and bust.texture_size(64) == (64, 64)


def test_an_outline_is_found_again_from_masks(parsed_run):
    """Masks are drawn of a head 6 mm wider at scalp and ears; pixels are about 2 mm."""
    bust, track = Bust.of(parsed_run.model), parsed_run.track
    wider = torch.zeros(bust.vertex_count, 3)
    where = torch.from_numpy(bust.region("scalp") | bust.region("ears"))
    rest = bust.posed(track.identity, wider, bust.model.neutral_pose())
    wider[where] = 0.006 * torch.nn.functional.normalize(rest[where] - rest[where].mean(0), dim=-1)
    frames = []
    for frame in Footage.of(parsed_run).shots([0, 3, 6, 9]):
        vertices = bust.posed(track.identity, wider, frame.pose)
        mask = (rasterize(Mesh(vertices, bust.faces.int()), frame.camera).face >= 0).numpy()
        frames.append(replace(frame, person=mask.astype(np.float32), head=mask.astype(np.float32)))
    errors = []
    offsets = follow(grown(bust, track.identity, torch.zeros(bust.vertex_count, 3), frames, 3), lambda step: errors.append(step.terms["distance_px"]))
    assert errors[-1] < 0.4 * errors[0]
    covered = [
        (rasterize(Mesh(bust.posed(track.identity, off, frames[1].pose), bust.faces.int()), frames[1].camera).face >= 0).numpy()
        for off in (wider, offsets)
    ]
    assert (covered[0] & covered[1]).sum() / (covered[0] | covered[1]).sum() > 0.97


def test_equations_find_textures_that_follow_features():
    """Four texels, three features, noise-free pixels between the texels: the true texture is the only one without an error."""
    rng = np.random.default_rng(5)
    truth = rng.normal(0, 1, (16, 3, CHANNELS)).astype(np.float32)
    equations, texture = Equations.zeros(16, 3), np.zeros((16, 3, CHANNELS), np.float32)
    frames = []
    for _ in range(80):
        corner, right, down = rng.integers(0, 3, (40, 2)), rng.uniform(0, 1, 40), rng.uniform(0, 1, 40)
        first = corner[:, 0] * 4 + corner[:, 1]
        taps = np.stack([first, first + 1, first + 4, first + 5], -1)[None].astype(np.int32)
        shares = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], -1)[None].astype(np.float32)
        features = np.array([1.0, *rng.normal(0, 1, 2)], np.float32)
        wanted = np.einsum("hwt,hwtkc,k->hwc", shares, truth[taps], features).astype(np.float32)
        frames.append((taps, shares, wanted, features))
    ridge = np.full(3, 1e-3, np.float32)
    for turn in range(40):
        gathered = equations if turn == 0 else Equations.zeros(16, 3, with_matrix=False)
        for taps, shares, wanted, features in frames:
            left = wanted - np.einsum("hwt,hwtkc,k->hwc", shares, texture[taps], features)
            add_equations(taps, shares, left.astype(np.float32), np.ones(left.shape[:2], np.float32), features, gathered.gram, gathered.right)
        texture = gathered.step(equations, texture, ridge)
    assert np.abs(texture - truth).max() < 0.02


def test_taps_of_a_pixel_are_the_texels_around_it():
    uv, faces = np.array([[0, 0], [1, 0], [0, 1]], np.float32), np.array([[0, 1, 2]], np.int32)
    weights = np.array([[[0.5, 0.25, 0.25], [1, 0, 0]]], np.float32)
    taps, shares = np.empty((1, 2, 4), np.int32), np.zeros((1, 2, 4), np.float32)
    find_taps(uv, faces, np.array([[0, -1]], np.int32), weights, 8, 4, taps, shares)
    # (u, v) = (1/4, 1/4) lies half-way between texel centres: columns 0 and 1 of rows 5 and 6, the first row being at v = 1.
    assert taps[0, 0].tolist() == [20, 21, 24, 25] and np.allclose(shares[0, 0], 0.25, atol=1e-5)
    assert taps[0, 1, 0] == -1


def test_features_are_uncorrelated_and_keep_to_what_training_showed(parsed_run):
    footage, track = Footage.of(parsed_run), parsed_run.track
    frames = range(12)
    features = PoseFeatures.of(parsed_run.model, [track.pose(k) for k in frames], [footage.camera(k) for k in frames], 4)
    found = torch.stack([features.of_pose(track.pose(k), footage.camera(k)) for k in frames])
    assert (found[:, 0] == 1).all()
    covariance = found[:, 1:].T @ found[:, 1:] / len(found)
    assert torch.allclose(covariance, torch.eye(found.shape[1] - 1), atol=1e-2)
    far = replace(track.pose(0), expression=100 * torch.ones_like(track.expression[0]))
    assert (features.of_pose(far, footage.camera(0))[1:].abs() <= features.reach + 1e-6).all()


def test_the_avatar_shows_held_out_frames_better_than_the_tracked_head(parsed_run, built):
    frames = list(Footage.of(parsed_run).shots([10, 11]))
    baseline = BaselineAvatar.of(parsed_run)
    for frame in frames:
        assert _held_out_error(built, frame) < 0.5 * _held_out_error(baseline, frame)


def test_building_is_repeatable(parsed_run, built):
    again = follow(mesh_steps(Footage.of(parsed_run, around_head=True), range(10), SMALL))
    for name, values in built.arrays().items():
        assert np.allclose(again.arrays()[name].astype(np.float32), values.astype(np.float32), atol=1e-3), name


def test_a_saved_mesh_avatar_shows_the_same_to_half_precision(parsed_run, built, tmp_path):
    paths = AvatarPaths(tmp_path / "avatar")
    save_avatar(built, paths, {}, {})
    frame = next(Footage.of(parsed_run).shots([4]))
    a, b = (avatar.render(frame.pose, frame.camera) for avatar in (built, load_avatar(paths.root)))
    assert isinstance(load_avatar(paths.root), MeshAvatar)
    assert (a.color - b.color).abs().max() < 0.02
    assert a.alpha.max() <= 1 and (a.color <= a.alpha[..., None] + 1e-6).all() and (a.depth[a.alpha > 0.99] > 0.1).all()


def test_the_side_that_no_frame_showed_is_opaque(parsed_run, built):
    pose, camera = parsed_run.track.pose(4), parsed_run.track.camera
    turned = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    sideways = replace(pose, world_from_head=replace(pose.world_from_head, rotation=pose.world_from_head.rotation @ turned))
    skin, _ = built.shape.layers(sideways, camera)
    scalp = torch.from_numpy(built.shape.bust.region("scalp"))[skin.faces.long()].all(-1)
    inside = (skin.face >= 0) & scalp[skin.face.clamp_min(0).long()]
    assert inside.sum() > 100 and built.render(sideways, camera).alpha[inside].mean() > 0.9


def test_a_far_away_avatar_does_not_flicker_between_pixels(parsed_run, built):
    """Small pictures show the mean of what large ones show, not single texels."""
    pose, camera = parsed_run.track.pose(4), parsed_run.track.camera
    large, small = built.render(pose, camera.resized((256, 256))), built.render(pose, camera.resized((32, 32)))
    means = torch.nn.functional.avg_pool2d(large.color.permute(2, 0, 1)[None], 8)[0].permute(1, 2, 0)
    assert (means - small.color).abs().mean() < 0.03


def test_solid_texture_spreads_opaque_colours():
    mean = np.zeros((8, 8, 4), np.float32)
    mean[:, :4] = (0.2, 0.4, 0.6, 1.0)
    mean[:, 4:] = (0.9, 0.0, 0.0, 0.3)
    assert np.allclose(solid_texture(mean, np.ones((8, 8), bool)), (0.2, 0.4, 0.6, 1.0), atol=1e-3)


def test_broken_textures_are_refused(built, tmp_path):
    paths = AvatarPaths(tmp_path / "avatar")
    save_avatar(built, paths, {}, {})
    for name, value in {"skin": built.skin.numpy()[:1], "offsets": np.zeros((7, 3), np.float32), "feature_scale": np.zeros(3, np.float32)}.items():
        write_arrays(paths.arrays, {**built.arrays(), name: value})
        with pytest.raises(FormatError, match=f"expected '{name}' with axes"):
            load_avatar(paths.root)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"components": -1}, "components must be at least 0"),
        ({"most_frames": 2}, "most_frames must be at least 4"),
        ({"ridge": 0.0}, "ridge must be above 0"),
        ({"texture_px": 7}, "texture_px must be 0 or from 16"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        MeshConfig(**settings)
