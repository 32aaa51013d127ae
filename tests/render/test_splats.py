"""Splats against their float64 twin, and what must be true of any splatting."""

import importlib.util
import math
from dataclasses import fields, replace

import numba
import pytest
import torch

from headcast.errors import InputError, MissingExtraError
from headcast.geometry import Camera, Transform, matrix_from_axis_angle, matrix_from_quaternion
from headcast.render import Splats, splat, splat_reference, view_colors

EYE = Camera.looking_along_minus_z(60.0, (26, 31))
ASKEW = Camera(
    focal_px=torch.tensor([70.0, 52.0]),
    center_px=torch.tensor([9.3, 17.6]),
    size=(26, 31),
    camera_from_world=Transform(
        matrix_from_axis_angle(torch.tensor([0.2, -0.3, 0.1])) @ EYE.camera_from_world.rotation, torch.tensor([0.03, -0.05, 0.02])
    ),
)


def cloud(count: int, seed: int, colors: tuple[int, ...] = (3,), spread: float = 1.0) -> Splats:
    generator = torch.Generator().manual_seed(seed)
    return Splats(
        means=torch.randn(count, 3, generator=generator) * torch.tensor([0.15, 0.12, 0.15]) * spread + torch.tensor([0.0, 0.0, -1.0]),
        rotations=matrix_from_quaternion(torch.randn(count, 4, generator=generator)),
        scales=0.01 + 0.05 * torch.rand(count, 3, generator=generator),
        opacities=0.05 + 0.95 * torch.rand(count, generator=generator),
        colors=torch.rand(count, *colors, generator=generator) - (0.5 if len(colors) == 2 else 0.0),
    )


def one(mean=(0.0, 0.0, -1.0), scale=(0.05, 0.05, 0.05), opacity=0.8, color=(1.0, 0.5, 0.25)) -> Splats:
    parts = torch.tensor(mean), torch.eye(3), torch.tensor(scale), torch.tensor(opacity), torch.tensor(color)
    return Splats(*(part[None] for part in parts))


def joined(*parts: Splats) -> Splats:
    return Splats(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Splats)))


def leaves(splats: Splats, dtype: torch.dtype) -> Splats:
    return Splats(*(getattr(splats, field.name).detach().to(dtype).requires_grad_() for field in fields(Splats)))


def in_double(camera: Camera) -> Camera:
    frame = camera.camera_from_world
    return replace(
        camera,
        focal_px=camera.focal_px.double(),
        center_px=camera.center_px.double(),
        camera_from_world=Transform(frame.rotation.double(), frame.translation.double()),
    )


def agree(splats: Splats, camera: Camera, rtol: float = 2e-4, **options) -> None:
    """Colour, alpha and depth of kernels and twin, and the gradients of a random weighting of them, within rtol of the largest."""
    single, double = leaves(splats, torch.float32), leaves(splats, torch.float64)
    image = splat(single, camera, **options)
    found, right = (image.color, image.alpha, image.depth), splat_reference.splat(double, in_double(camera), **options)
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(part.shape, generator=generator, dtype=torch.float64) for part in right]
    sum((part * weight.float()).sum() for part, weight in zip(found, weights)).backward()
    sum((part * weight).sum() for part, weight in zip(right, weights)).backward()
    for mine, its in zip(found, right):
        assert (mine.double() - its).abs().max() <= rtol * its.abs().max()
    for field in fields(Splats):
        mine, its = getattr(single, field.name).grad, getattr(double, field.name).grad
        assert its.abs().max() > 0
        assert (mine.double() - its).abs().max() <= rtol * its.abs().max(), field.name


@pytest.mark.parametrize("camera", [EYE, ASKEW], ids=["eye", "askew"])
@pytest.mark.parametrize("antialiased", [False, True])
def test_kernels_give_the_twins_pictures_and_gradients(camera, antialiased):
    agree(cloud(60, 1), camera, antialiased=antialiased)


@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_any_number_of_channels(channels):
    agree(cloud(40, 2, (channels,)), EYE)


@pytest.mark.parametrize("harmonics", [1, 4, 9, 16])
def test_colours_that_change_with_the_view(harmonics):
    agree(cloud(40, 3, (harmonics, 3)), ASKEW)


def test_no_dilation_and_another_one():
    agree(cloud(40, 4), EYE, dilation_px2=0.0)
    agree(cloud(40, 4), EYE, dilation_px2=1.7, antialiased=True)


def test_splats_beside_behind_and_around_the_camera():
    agree(cloud(120, 5, spread=6.0), ASKEW, rtol=1e-3)


def test_the_twins_gradients_are_finite_differences():
    camera = in_double(ASKEW)
    splats = leaves(cloud(6, 6, (9, 3)), torch.float64)
    parts = tuple(getattr(splats, field.name) for field in fields(Splats))
    assert torch.autograd.gradcheck(lambda *p: splat_reference.splat(Splats(*p), camera, antialiased=True), parts, eps=1e-7, atol=1e-4)


def test_a_round_splat_is_a_gaussian_in_the_picture():
    """Its variance is (focal · scale / depth)² plus the dilation."""
    image = splat(one(), EYE)
    variance = (60 * 0.05) ** 2 + 0.3
    squared = (torch.arange(31) + 0.5 - 15.5) ** 2 + ((torch.arange(26) + 0.5 - 13.0) ** 2)[:, None]
    expected = 0.8 * torch.exp(-0.5 * squared / variance)
    expected[expected < 1 / 255] = 0
    torch.testing.assert_close(image.alpha, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(image.color[..., 1], 0.5 * expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(image.depth[expected > 0], torch.ones(int((expected > 0).sum())), atol=1e-5, rtol=0)


def test_antialiasing_keeps_what_a_small_splat_covers():
    """Without it, a splat far smaller than a pixel covers as much as one of a third of a pixel's variance."""
    small = one(scale=(0.005, 0.005, 0.005))
    variance = (60 * 0.005) ** 2
    assert math.isclose(float(splat(small, EYE).alpha.sum()), 0.8 * 2 * math.pi * (variance + 0.3), rel_tol=0.05)
    assert math.isclose(float(splat(small, EYE, antialiased=True).alpha.sum()), 0.8 * 2 * math.pi * variance, rel_tol=0.05)


def test_their_order_in_memory_does_not_matter():
    splats = cloud(80, 7)
    shuffled = torch.randperm(80, generator=torch.Generator().manual_seed(1))
    mixed = Splats(*(getattr(splats, field.name)[shuffled] for field in fields(Splats)))
    assert torch.equal(splat(splats, EYE).features, splat(mixed, EYE).features)


def test_any_background_shows_through_by_what_alpha_leaves():
    image = splat(cloud(30, 8), EYE)
    background = torch.rand(26, 31, 3, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(image.over(background), image.color + (1 - image.alpha)[..., None] * background)
    assert torch.equal(image.over(torch.zeros(3)), image.color)


def test_an_opaque_splat_in_front_hides_what_is_behind():
    front, behind = one(opacity=1.0, scale=(5.0, 5.0, 0.001)), one(mean=(0.0, 0.0, -2.0), color=(0.0, 0.0, 1.0), scale=(5.0, 5.0, 0.001))
    stack = joined(behind, front, replace(front, means=front.means + torch.tensor([0.0, 0.0, -0.1])))
    image = splat(stack, EYE)
    centre = image.color[13, 15]
    torch.testing.assert_close(centre, torch.tensor([1.0, 0.5, 0.25]), atol=2e-3, rtol=0)
    assert image.alpha[13, 15] > 0.999


def test_the_same_bits_whatever_the_number_of_threads():
    splats, threads = cloud(6000, 9), numba.get_num_threads()
    results = []
    try:
        for count in (1, threads):
            numba.set_num_threads(count)
            own = leaves(splats, torch.float32)
            image = splat(own, EYE)
            image.features.square().sum().backward()
            results.append([image.features.detach(), image.light.detach(), *(getattr(own, field.name).grad for field in fields(Splats))])
    finally:
        numba.set_num_threads(threads)
    for alone, together in zip(*results):
        assert torch.equal(alone, together)


def test_a_batch_of_cameras_gives_a_batch_of_pictures():
    splats = cloud(30, 10)
    frames = Transform(
        torch.stack([EYE.camera_from_world.rotation, ASKEW.camera_from_world.rotation]),
        torch.stack([EYE.camera_from_world.translation, ASKEW.camera_from_world.translation]),
    )
    both = Camera(torch.stack([EYE.focal_px, ASKEW.focal_px]), torch.stack([EYE.center_px, ASKEW.center_px]), EYE.size, frames)
    image = splat(splats, both)
    assert image.color.shape == (2, 26, 31, 3)
    for idx, camera in enumerate((EYE, ASKEW)):
        assert torch.equal(image.color[idx], splat(splats, camera).color)
        assert torch.equal(image.depth[idx], splat(splats, camera).depth)


def test_a_shift_moves_splats_and_its_gradient_pulls_them():
    splats = cloud(30, 11)
    shift = torch.zeros(30, 2, requires_grad=True)
    target = splat(splats, EYE, shift_px=torch.full((30, 2), 0.5)).color
    still = splat(splats, EYE, shift_px=shift)
    assert torch.equal(still.color, splat(splats, EYE).color)
    (still.color - target).square().sum().backward()
    assert (shift.grad.sum(0) < 0).all()


def nothing(splats: Splats, camera: Camera = EYE) -> bool:
    own = leaves(splats, torch.float32)
    image = splat(own, camera)
    image.features.sum().backward()
    gradients = [getattr(own, field.name).grad for field in fields(Splats)]
    return bool((image.light == 1).all() and (image.features == 0).all()) and all(bool((g == 0).all()) for g in gradients)


def test_no_splats_give_an_empty_picture():
    empty = Splats(torch.zeros(0, 3), torch.zeros(0, 3, 3), torch.zeros(0, 3), torch.zeros(0), torch.zeros(0, 3))
    assert nothing(empty)


@pytest.mark.parametrize(
    "splats",
    [
        one(mean=(0.0, 0.0, 1.0)),
        one(mean=(0.0, 0.0, 0.0)),
        one(mean=(0.0, 0.0, -0.009)),
        one(mean=(9.0, 0.0, -1.0)),
        one(opacity=0.003),
        one(opacity=0.0),
        one(mean=(float("nan"), 0.0, -1.0)),
        one(scale=(float("nan"), 1.0, 1.0)),
        one(scale=(float("inf"), 1.0, 1.0)),
        one(opacity=float("nan")),
    ],
    ids=["behind", "at the camera", "on the near plane", "beside", "faint", "clear", "nowhere", "no size", "endless", "no opacity"],
)
def test_what_cannot_be_seen_is_not_drawn(splats):
    assert nothing(splats)


@pytest.mark.parametrize("scale", [(1e6, 1e6, 1e6), (1e6, 1e-9, 1e-9), (0.0, 0.0, 0.0), (0.05, 0.0, 0.0), (1e-12, 1e-12, 1e-12)])
@pytest.mark.parametrize("antialiased", [False, True])
def test_huge_needle_flat_and_tiny_splats_give_finite_numbers(scale, antialiased):
    own = leaves(joined(one(scale=scale, mean=(0.01, 0.01, -0.02)), one(scale=scale)), torch.float32)
    image = splat(own, EYE, antialiased=antialiased)
    (image.features.sum() + image.depth.sum()).backward()
    for part in (image.features, image.depth, *(getattr(own, field.name).grad for field in fields(Splats))):
        assert torch.isfinite(part).all()


def test_gsplat_is_named_where_it_is_missing():
    if importlib.util.find_spec("gsplat"):
        pytest.skip("gsplat is installed")
    with pytest.raises(MissingExtraError, match=r"pip install 'headcast\[gsplat\]'"):
        splat(cloud(4, 0), EYE, engine="gsplat")
    with pytest.raises(InputError, match="leave out shift_px"):
        splat(cloud(4, 0), EYE, shift_px=torch.zeros(4, 2), engine="gsplat")


@pytest.mark.gpu
@pytest.mark.skipif(not (torch.cuda.is_available() and importlib.util.find_spec("gsplat")), reason="needs an NVIDIA GPU and gsplat")
@pytest.mark.parametrize("colors", [(3,), (16, 3)])
@pytest.mark.parametrize("antialiased", [False, True])
def test_gsplat_draws_the_same_pictures(colors, antialiased):
    splats, camera = cloud(60, 12, colors).to("cuda"), ASKEW.to("cuda")
    mine, its = (splat(splats, camera, antialiased=antialiased, engine=engine) for engine in ("headcast", "gsplat"))
    torch.testing.assert_close(its.color, mine.color, atol=5e-3, rtol=0)
    torch.testing.assert_close(its.alpha, mine.alpha, atol=5e-3, rtol=0)


def test_wrong_shapes_are_refused():
    splats = cloud(4, 0)
    object.__setattr__(splats, "colors", torch.zeros(5, 3))  # past the shapes that are checked while tests run
    with pytest.raises(InputError, match="as many colours"):
        splat(splats, EYE)
    with pytest.raises(InputError, match="1, 4, 9 or 16"):
        view_colors(torch.zeros(4, 5, 3), torch.zeros(4, 3), torch.zeros(3))


def test_double_precision_is_refused_with_the_way_out():
    with pytest.raises(InputError, match="works in float32"):
        splat(leaves(cloud(4, 0), torch.float64), EYE)
