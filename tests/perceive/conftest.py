import pytest
from portraits import portrait

from headcast.perceive import FaceFinder, FaceFollower, Matting, MediapipeMesh


@pytest.fixture(scope="session")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="session")
def mesh() -> MediapipeMesh:
    return MediapipeMesh()


@pytest.fixture
def follower(mesh, finder) -> FaceFollower:
    return FaceFollower(mesh, finder)


@pytest.fixture(scope="session")
def matting() -> Matting:
    return Matting()


@pytest.fixture(scope="session")
def seen(mesh, finder):
    """The landmarks of the portrait."""
    return FaceFollower(mesh, finder).step(portrait(), 0.0).landmarks
