"""FLAME files become head models that give FLAME's vertices."""

import pickle

import numpy as np
import pytest
import torch
from synthetic_models import flame_arrays, flame_vertices, write_flame_pickle

from headcast.errors import FormatError, InputError
from headcast.geometry import Transform
from headcast.heads import HeadPose
from headcast.heads.flame import JOINT_NAMES, load_flame, load_flame_root
from headcast.heads.regions import REGION_NAMES


@pytest.fixture(scope="module")
def arrays():
    return flame_arrays()


@pytest.fixture(scope="module")
def path(arrays, tmp_path_factory):
    found = tmp_path_factory.mktemp("flame") / "flame2020.pkl"
    write_flame_pickle(found, arrays)
    return found


@pytest.fixture(scope="module")
def parameters():
    rng = np.random.default_rng(5)
    return {
        "identity": torch.from_numpy(rng.normal(0, 1, 300)),
        "expression": torch.from_numpy(rng.normal(0, 1, 100)),
        "pose": rng.normal(0, 0.4, (5, 3)),
        "translation": rng.normal(0, 0.3, 3),
    }


def test_vertices_are_those_of_the_flame_equations(arrays, path, parameters):
    model, root = load_flame(path).to(dtype=torch.float64), load_flame_root(path).to(dtype=torch.float64)
    identity, expression = parameters["identity"], parameters["expression"]
    world_from_head = root.world_from_head(torch.from_numpy(parameters["pose"][0]), torch.from_numpy(parameters["translation"]), identity, expression)
    pose = HeadPose(expression, torch.from_numpy(parameters["pose"][1:]), world_from_head)
    found = model.shaped(identity).posed(pose).vertices.numpy()
    expected = flame_vertices(arrays, np.concatenate([identity, expression]), parameters["pose"], parameters["translation"])
    # The model keeps 32-bit numbers.
    np.testing.assert_allclose(found, expected, atol=2e-7)


def test_flame_rotation_and_translation_survive_the_round_trip(path, parameters):
    root = load_flame_root(path).to(dtype=torch.float64)
    given = torch.from_numpy(parameters["pose"][0]), torch.from_numpy(parameters["translation"])
    there = root.world_from_head(*given, parameters["identity"], parameters["expression"])
    back = root.parameters(there, parameters["identity"], parameters["expression"])
    torch.testing.assert_close(back[0], given[0])
    torch.testing.assert_close(back[1], given[1])


def test_batches_of_frames_share_an_identity(path, parameters):
    root = load_flame_root(path)
    rng = torch.Generator().manual_seed(0)
    expression = torch.randn(7, 100, generator=rng)
    world = Transform.from_axis_angle(torch.randn(7, 3, generator=rng), torch.randn(7, 3, generator=rng))
    rotation, translation = root.parameters(world, parameters["identity"].float(), expression)
    back = root.world_from_head(rotation, translation, parameters["identity"].float(), expression)
    torch.testing.assert_close(back.translation, world.translation, atol=1e-5, rtol=0)
    assert rotation.shape == translation.shape == (7, 3)


def test_npz_and_pickle_give_the_same_model(arrays, path, tmp_path):
    np.savez(tmp_path / "flame.npz", **arrays)
    from_pickle, from_npz = load_flame(path), load_flame(tmp_path / "flame.npz")
    for name in ("template", "identity_basis", "pose_correctives", "joint_identity_basis", "skinning_weights", "uv"):
        torch.testing.assert_close(getattr(from_pickle, name), getattr(from_npz, name))


def test_the_origin_lies_between_the_eyes_and_all_joints_are_named(path):
    model = load_flame(path)
    assert model.joint_names == JOINT_NAMES == ("neck", "jaw", "left_eye", "right_eye")
    assert model.joint_parents == (-1, 0, 0, 0)
    torch.testing.assert_close(model.joint_template[2:].mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    assert model.joint_template[2, 0] > 0.02, "the left eye is at +X"
    assert (model.identity_count, model.expression_count) == (300, 100)
    assert float(model.skinning_weights.sum(1).max()) <= 1.0 + 1e-6


def test_every_region_exists_and_the_eyeballs_are_known(path):
    model = load_flame(path)
    assert set(REGION_NAMES) <= set(model.regions)
    eyes = model.regions["eyeballs"]
    assert int(eyes.sum()) == 100 and not (model.regions["face"] & eyes).any()
    assert int(model.regions["face"].sum()) > 20 and (model.template[model.regions["face"], 2] > -0.05).all()
    assert not model.regions["teeth"].any()
    assert "rough" in model.about["regions"]


def test_masks_beside_the_file_are_used(arrays, tmp_path):
    write_flame_pickle(tmp_path / "generic_model.pkl", arrays)
    names = ("face", "forehead", "nose", "lips", "left_eyeball", "right_eyeball", "left_ear", "right_ear", "scalp", "neck", "boundary")
    masks = {name: np.array([3 * idx, 3 * idx + 1]) for idx, name in enumerate(names)}
    (tmp_path / "FLAME_masks.pkl").write_bytes(pickle.dumps(masks, protocol=2))
    model = load_flame(tmp_path / "generic_model.pkl")
    assert torch.nonzero(model.regions["lips"])[:, 0].tolist() == [9, 10]
    assert int(model.regions["eyeballs"].sum()) == 4
    assert model.about["regions"] == "FLAME_masks.pkl"
    del masks["lips"]
    (tmp_path / "FLAME_masks.pkl").write_bytes(pickle.dumps(masks, protocol=2))
    with pytest.raises(FormatError, match="lips"):
        load_flame(tmp_path / "generic_model.pkl")


def test_a_layout_beside_the_file_is_used_and_one_for_other_faces_refused(arrays, tmp_path):
    np.savez(tmp_path / "flame2023.npz", **arrays)
    faces = arrays["f"].astype(int)
    lines = [f"v {x} {y} {z}" for x, y, z in arrays["v_template"]] + ["vt 0.25 0.75", "vt 0.5 0.5"]
    obj = tmp_path / "head_template_mesh.obj"
    obj.write_text("\n".join(lines + [f"f {a + 1}/1 {b + 1}/2 {c + 1}/1" for a, b, c in faces]))
    model = load_flame(tmp_path / "flame2023.npz")
    assert model.uv.shape == (2, 2) and model.uv_faces[5].tolist() == [0, 1, 0]
    obj.write_text("\n".join(lines + [f"f {a + 1}/1 {b + 1}/2 {c + 1}/1" for a, b, c in faces[1:]]))
    with pytest.raises(FormatError, match="other faces"):
        load_flame(tmp_path / "flame2023.npz")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("posedirs"), "posedirs"),
        (lambda a: a["shapedirs"].__setitem__((0, 0, 0), np.nan), "not finite"),
        (lambda a: a.update(weights=a["weights"][:, :4]), "weights"),
        (lambda a: a.update(v_template=a["v_template"][:-1]), "vertices"),
        (lambda a: a.update(shapedirs=a["shapedirs"][..., :300]), "300 identity modes"),
        (lambda a: a.update(f=a["f"] + np.uint32(1000)), "faces of"),
        (lambda a: a.update(kintree_table=np.array([[0, 0, 0, 0, 0], [0, 1, 2, 3, 4]])), "joint parents"),
        (lambda a: a.update(v_template=a["v_template"].astype(str)), "v_template"),
    ],
)
def test_a_broken_file_says_what_is_wrong(change, said, tmp_path):
    arrays = flame_arrays()
    change(arrays)
    np.savez(tmp_path / "flame.npz", **arrays)
    with pytest.raises(FormatError, match=said) as caught:
        load_flame(tmp_path / "flame.npz")
    assert str(tmp_path) in str(caught.value)


def test_a_pickle_of_something_else_is_refused(tmp_path):
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2, 3]))
    with pytest.raises(FormatError, match="dictionary of arrays, found list"):
        load_flame(tmp_path / "list.pkl")
    with pytest.raises(InputError):
        load_flame(tmp_path / "absent.pkl")
