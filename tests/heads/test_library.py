"""One function reads every head model, by name or path, and says how to get what is missing."""

import numpy as np
import pytest
from synthetic_models import flame_arrays, gnm_arrays, write_flame_pickle

from headcast.errors import FormatError, MissingAssetError
from headcast.heads._model_arrays import write_model
from headcast.heads.library import ASSETS, available_heads, find_head, load_head
from headcast.heads.open_head import open_head


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The only folder in which models are looked for."""
    found = tmp_path / "models"
    found.mkdir()
    monkeypatch.setenv("HEADCAST_MODELS", str(found))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return found


def test_open_is_the_shipped_head():
    assert load_head("open") is open_head()
    assert load_head(open_head().name) is open_head(), "a track keeps the model's name"


def test_models_are_found_by_short_name_file_name_and_path(folder):
    np.savez(folder / "gnm_head.npz", **gnm_arrays())
    write_flame_pickle(folder / "flame2023_Open.pkl", flame_arrays())
    assert load_head("gnm").about["family"] == "GNM"
    assert load_head("flame").about["family"] == "FLAME"
    assert load_head("flame2023_Open").template.shape == load_head(folder / "flame2023_Open.pkl").template.shape
    assert find_head("gnm_head") == folder / "gnm_head.npz"
    found = available_heads()
    assert found["gnm"] == folder / "gnm_head.npz" and found["ict"] is None


def test_the_name_of_a_model_loads_it_again(folder, tmp_path):
    np.savez(folder / "gnm_head.npz", **gnm_arrays())
    np.savez(tmp_path / "elsewhere.npz", **gnm_arrays())
    for name in ("gnm", tmp_path / "elsewhere.npz"):
        model = load_head(name)
        assert load_head(model.name).name == model.name


def test_models_in_the_data_folder_are_found(folder, tmp_path):
    data = tmp_path / "data" / "headcast" / "models"
    data.mkdir(parents=True)
    np.savez(data / "gnm_head.npz", **gnm_arrays())
    assert load_head("gnm").about["family"] == "GNM"


def test_a_model_that_headcast_wrote_is_read(tmp_path):
    write_model(tmp_path / "mine.npz", open_head())
    model = load_head(tmp_path / "mine.npz")
    assert model.expression_names == open_head().expression_names and model.name == str(tmp_path / "mine.npz")


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_a_missing_model_says_which_file_from_where_under_what_licence_and_where_to_put_it(folder, name):
    with pytest.raises(MissingAssetError) as caught:
        load_head(name)
    said = str(caught.value)
    for part in (ASSETS[name].files[0], ASSETS[name].source, ASSETS[name].licence, str(folder)):
        assert part in said


def test_an_unknown_name_lists_the_known_ones(folder):
    with pytest.raises(MissingAssetError, match=r"'open'.*flame2023.*gnm.*ict") as caught:
        load_head("smplx")
    assert "'smplx'" in str(caught.value)


def test_files_that_are_no_head_models_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "mesh.ply").write_text("ply")
    (tmp_path / "folder").mkdir()
    for name, said in (("other.npz", "FLAME, GNM, ICT"), ("text.npz", "cut short"), ("mesh.ply", ".pkl"), ("folder", "another folder")):
        with pytest.raises(FormatError, match=said):
            load_head(tmp_path / name)
