"""Light and albedo from brightness alone: what turning shows is found, what it does not show is believed."""

import numpy as np
import pytest

from headcast.track.light import sh_basis
from headcast.track.lighting import Unknown, _Channel, lighting_step

TRUE = np.array([1.0, 0.3, 0.25, -0.1, 0.1, 0.2, 0.0, -0.2, 0.05])


def _turning(degrees, texels=800):
    """Normals of the front of a ball in 15 frames of a turn, and an albedo that varies."""
    rng = np.random.default_rng(3)
    front = rng.standard_normal((texels, 3)) * [0.6, 0.6, 0.3] + [0, 0, 1]
    front /= np.linalg.norm(front, axis=1, keepdims=True)
    angles = np.radians(np.linspace(-degrees, degrees, 15))
    turn = np.stack([[[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]] for a in angles])
    albedo = 0.5 + 0.15 * np.sin(9 * front[:, 0]) + 0.05 * rng.standard_normal(texels)
    return np.einsum("kij,tj->kti", turn, front), albedo


def _stepped(normals, target, light, albedo=None):
    views = np.zeros(len(target), int)
    start = _Channel(light[None], np.zeros(len(target)))
    found, _ = lighting_step(target, sh_basis(normals), np.ones(target.shape), views, start, Unknown(), albedo)
    return found.lights[0]


def _solved(normals, target, start):
    light = start.copy()
    for _ in range(12):
        light = _stepped(normals, target, light)
        light = light / light[0]
    return light


@pytest.mark.parametrize("start", [np.eye(9)[0], TRUE + 0.2 * np.sin(np.arange(9)) * (np.arange(9) > 0)], ids=["even", "elsewhere"])
def test_a_turning_head_tells_its_light(start):
    normals, albedo = _turning(45)
    target = albedo * (sh_basis(normals) @ TRUE)
    assert np.abs(_solved(normals, target, start) - TRUE)[[2, 3, 5, 7]].max() < 0.05


def test_a_still_head_of_one_colour_tells_its_light_too():
    normals, _ = _turning(0)
    target = 0.5 * (sh_basis(normals) @ TRUE)
    found = _solved(normals, target, np.eye(9)[0])
    shade = sh_basis(normals) @ found
    assert np.std(target / shade) / np.mean(target / shade) < 0.02


def test_a_given_albedo_leaves_only_light_unknown():
    normals, albedo = _turning(10)
    target = albedo * (sh_basis(normals) @ TRUE)
    light = np.eye(9)[0]
    for _ in range(3):
        light = _stepped(normals, target, light, albedo)
    assert np.abs(light - TRUE).max() < 1e-2
