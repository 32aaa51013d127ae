"""A head model written as arrays comes back as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headcast.errors import FormatError
from headcast.heads import HeadModel, LandmarkSet, open_head
from headcast.heads._model_arrays import arrays_from_model, model_from_arrays, read_model, write_model
from headcast.store import read_arrays, write_arrays


@pytest.fixture(scope="module")
def small() -> HeadModel:
    """The open head with a handful of modes, and with everything that it has not."""
    head = open_head()
    random = torch.Generator().manual_seed(0)
    return replace(
        head,
        identity_basis=head.identity_basis[:4],
        joint_identity_basis=head.joint_identity_basis[:4],
        pose_correctives=torch.randn(9 * head.joint_count, len(head.template), 3, generator=random) * 1e-3,
        landmarks=dict(head.landmarks) | {"plain": LandmarkSet(torch.tensor([3, 5]), torch.tensor([[1.0, 0, 0], [0.2, 0.3, 0.5]]))},
    )


def test_what_was_written_is_read(small, tmp_path):
    write_model(tmp_path / "head.npz", small)
    again = read_model(tmp_path / "head.npz")
    assert (again.name, again.joint_names, again.joint_parents, again.expression_names) == (
        small.name,
        small.joint_names,
        small.joint_parents,
        small.expression_names,
    )
    assert again.about == dict(small.about) and list(again.regions) == list(small.regions) and list(again.landmarks) == list(small.landmarks)
    for name in (
        "template",
        "faces",
        "joint_template",
        "skinning_weights",
        "uv",
        "uv_faces",
        "mirror",
        "pose_correctives",
        "expression_joint_rotations",
    ):
        torch.testing.assert_close(getattr(again, name), getattr(small, name), rtol=0, atol=0)
    for name, mask in small.regions.items():
        assert (again.regions[name] == mask).all()
    for name, found in small.landmarks.items():
        torch.testing.assert_close(again.landmarks[name].barycentric, found.barycentric)
        assert (again.landmarks[name].faces == found.faces).all()
        assert (again.landmarks[name].sigma is None) == (found.sigma is None)


def test_bases_are_kept_to_half_a_step_of_sixteen_bits(small):
    again = model_from_arrays(arrays_from_model(small))
    for name in ("identity_basis", "expression_basis"):
        own, other = getattr(small, name), getattr(again, name)
        step = own.abs().amax((1, 2)) / 32767
        assert ((own - other).abs().amax((1, 2)) <= 0.51 * step + 1e-9).all()
    worst = open_head().expression_basis.abs().max() / 32767 / 2
    assert worst < 1e-6, "less than a thousandth of a millimetre"


def test_a_model_without_mirror_or_correctives_stays_without(small, tmp_path):
    write_model(tmp_path / "head.npz", replace(small, mirror=None, pose_correctives=None, landmarks={}, regions={}))
    again = read_model(tmp_path / "head.npz")
    assert again.mirror is None and again.pose_correctives is None and not again.landmarks and not again.regions


def test_a_missing_array_is_named(small, tmp_path):
    write_model(tmp_path / "head.npz", small)
    arrays = read_arrays(tmp_path / "head.npz")
    for name in ("template", "landmarks_plain_faces"):
        write_arrays(tmp_path / "broken.npz", {key: value for key, value in arrays.items() if key != name})
        with pytest.raises(FormatError, match=name):
            read_model(tmp_path / "broken.npz")


def test_arrays_that_contradict_each_other_are_refused(small, tmp_path):
    arrays = arrays_from_model(small)
    write_arrays(tmp_path / "broken.npz", arrays | {"skinning_weights": arrays["skinning_weights"][:-1]})
    with pytest.raises(FormatError, match="skinning_weights"):
        read_model(tmp_path / "broken.npz")
    write_arrays(tmp_path / "nan.npz", arrays | {"template": np.full_like(arrays["template"], np.nan)})
    with pytest.raises(FormatError, match="not finite"):
        read_model(tmp_path / "nan.npz")
