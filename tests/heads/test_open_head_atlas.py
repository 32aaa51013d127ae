"""The open head's texture atlas."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from headcast.heads import open_head


@pytest.fixture(scope="module")
def uv():
    return open_head().uv.double().numpy()


@pytest.fixture(scope="module")
def uv_faces():
    return open_head().uv_faces.numpy()


def owners(uv: np.ndarray, uv_faces: np.ndarray, size: int) -> np.ndarray:
    """(row, column, face) of every texel centre strictly inside a face."""
    found = []
    pixel = uv * [size, -size] + [0, size]
    for idx, (a, b, c) in enumerate(pixel[uv_faces]):
        low, high = np.floor(np.minimum(np.minimum(a, b), c)).astype(int), np.ceil(np.maximum(np.maximum(a, b), c)).astype(int)
        column, row = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        x, y = column + 0.5 - a[0], row + 0.5 - a[1]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        second, third = (x * (c[1] - a[1]) - y * (c[0] - a[0])) / area, ((b[0] - a[0]) * y - (b[1] - a[1]) * x) / area
        own = (second > 1e-6) & (third > 1e-6) & (second + third < 1 - 1e-6)
        found.append(np.stack([row[own], column[own], np.full(own.sum(), idx)], -1))
    return np.concatenate(found)


def test_charts_lie_in_the_picture_and_are_never_inside_out(uv, uv_faces):
    assert uv.min() > 0.004 and uv.max() < 0.998
    a, b, c = (uv[uv_faces[:, k]] for k in range(3))
    signed = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    assert (signed > 0).all()


def test_no_texel_belongs_to_two_faces(uv, uv_faces):
    texels = owners(uv, uv_faces, 1024)
    place = texels[:, 0] * 1024 + texels[:, 1]
    assert len(np.unique(place)) == len(place)


def test_charts_keep_two_texels_between_them_at_512(uv, uv_faces):
    count = len(uv)
    ends = np.concatenate([uv_faces[:, [0, 1]], uv_faces[:, [1, 2]]])
    number, chart = connected_components(coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count)), directed=False)
    texels = owners(uv, uv_faces, 512)
    taken = np.zeros((512, 512), bool)
    for idx in range(number):
        own = texels[chart[uv_faces[texels[:, 2], 0]] == idx]
        if len(own) == 0:
            continue
        mask = np.zeros((512, 512), bool)
        mask[own[:, 0], own[:, 1]] = True
        mask = binary_dilation(mask, iterations=1)
        assert not (mask & taken).any()
        taken |= mask


def test_the_face_gets_more_texels_than_its_share_of_the_skin():
    head = open_head()
    uv, vertices = head.uv.double(), head.template.double()
    flat = uv[head.uv_faces]
    first, second = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    texels = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).abs() / 2
    corner = vertices[head.faces]
    area = (corner[:, 1] - corner[:, 0]).cross(corner[:, 2] - corner[:, 0], dim=1).norm(dim=1) / 2
    face, scalp = head.face_regions("face"), head.face_regions("scalp")
    assert texels[face].sum() > 0.18
    assert (texels[face] / area[face]).median() > 1.5 * (texels[scalp] / area[scalp]).median()


def test_the_atlas_mirrors_with_the_head():
    head = open_head()
    place = {tuple(sorted(face)): idx for idx, face in enumerate(head.faces.tolist())}
    partner = np.array([place[tuple(sorted(face))] for face in head.mirror[head.faces].tolist()])
    own, other = head.uv[head.uv_faces].mean(1).numpy(), head.uv[head.uv_faces[partner]].mean(1).numpy()
    np.testing.assert_allclose(own * [-1, 1] + [1, 0], other, atol=1e-5)
