"""Models that the user brings get their landmarks once; after that they come from the cache."""

from dataclasses import replace

import pytest
import torch

from headcast.errors import MissingAssetError
from headcast.heads import open_head
from headcast.heads._model_arrays import write_model
from headcast.track.models import load_model_for_tracking, model_cache_folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("HEADCAST_MODELS", raising=False)
    return model_cache_folder()


def test_the_open_head_needs_no_cache(cache):
    assert load_model_for_tracking("open") is open_head()
    assert not cache.exists()


def test_a_model_is_kept_by_the_contents_of_its_file(cache, tmp_path):
    path = tmp_path / "mine.npz"
    write_model(path, open_head())
    first = load_model_for_tracking(path)
    assert len(list(cache.iterdir())) == 1
    again = load_model_for_tracking(path)
    assert again.name == first.name == str(path)
    torch.testing.assert_close(again.template, first.template)
    torch.testing.assert_close(again.identity_basis, first.identity_basis)
    assert again.landmarks.keys() == first.landmarks.keys()
    write_model(path, replace(open_head(), template=open_head().template * 1.01))
    other = load_model_for_tracking(path)
    torch.testing.assert_close(other.template, open_head().template * 1.01)
    assert len(list(cache.iterdir())) == 2


def test_a_model_that_is_not_there_is_asked_for(cache):
    with pytest.raises(MissingAssetError, match="gnm_head"):
        load_model_for_tracking("gnm")
