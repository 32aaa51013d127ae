"""A face is laid onto a measured cloud and what is left is measured."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from headcast.errors import InputError
from headcast.evaluate import compare_with_cloud
from headcast.geometry import Similarity
from headcast.heads import open_head


@pytest.fixture(scope="module")
def face():
    model = open_head()
    region = model.regions["face"] & ~model.regions["eyeballs"] & ~model.regions["mouth_interior"]
    return model.template.numpy().astype(np.float64), model.faces.numpy(), region.numpy()


def _sampled(face, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points spread over the face, as a depth camera sees it."""
    vertices, faces, region = face
    front = faces[region[faces].all(1)]
    a, b, c = (vertices[front[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = rng.choice(len(front), count, p=area / area.sum())
    weights = rng.dirichlet([1, 1, 1], count)
    return np.einsum("nk,nkc->nc", weights, vertices[front[chosen]])


def test_a_cloud_of_the_face_itself_fits_exactly_after_a_rough_start(face):
    rng = np.random.default_rng(0)
    true = Similarity(1.2, Rotation.from_rotvec([0.4, 1.0, -0.3]).as_matrix(), np.array([0.3, -0.2, 1.0]))
    cloud = true.points(_sampled(face, 40000, rng))
    rough = Similarity(1.15, true.rotation @ Rotation.from_rotvec([0.06, -0.08, 0.05]).as_matrix(), true.translation + 0.01)
    found = compare_with_cloud(*face, cloud, rough)
    # The cloud is 1.2 times life size here; its points lie about 1 mm apart, so vertices find neighbours, not themselves.
    assert abs(found.cloud_from_mesh.scale - 1.2) < 0.01
    assert found.median_mm < 0.3 and found.coverage > 0.95


def test_noise_across_the_surface_is_what_is_measured(face):
    """Noise of 2 mm along the three axes leaves |N(0, 2 mm)| across the surface: a median of 0.67 standard deviations."""
    rng = np.random.default_rng(1)
    cloud = _sampled(face, 40000, rng)
    found = compare_with_cloud(*face, cloud + rng.normal(0, 2e-3, cloud.shape), Similarity(1.0, np.eye(3), np.zeros(3)))
    assert 0.9 < found.median_mm < 1.7


def test_what_is_not_the_face_does_not_count(face):
    rng = np.random.default_rng(2)
    cloud = _sampled(face, 30000, rng)
    shoulders = rng.uniform([-0.2, -0.4, -0.2], [0.2, -0.2, 0.1], (20000, 3))
    alone = compare_with_cloud(*face, cloud, Similarity(1.0, np.eye(3), np.zeros(3)))
    crowded = compare_with_cloud(*face, np.concatenate([cloud, shoulders]), Similarity(1.0, np.eye(3), np.zeros(3)))
    assert abs(alone.median_mm - crowded.median_mm) < 0.05


def test_clouds_elsewhere_are_refused(face):
    rng = np.random.default_rng(3)
    with pytest.raises(InputError, match="at least 100 points"):
        compare_with_cloud(*face, rng.normal(0, 1, (50, 3)), Similarity(1.0, np.eye(3), np.zeros(3)))
