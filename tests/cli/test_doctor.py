"""`headcast doctor` tells what works, what is missing, and whether the main job can be done."""

from importlib import metadata

import pytest

from headcast.cli import doctor as module
from headcast.cli.main import main


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")


def test_an_installed_headcast_works(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for title in ("Machine", "Packages", "Back ends", "Head models"):
        assert f"\n{title}\n" in said
    for name in ("torch", "mediapipe", "numba", "kernels on the CPU", "478 found in a test portrait", "PyAV", "open head (shipped)"):
        assert name in said
    assert said.rstrip().endswith("The main job works. Next: headcast demo")


def test_every_model_that_is_missing_says_where_to_get_it_and_its_licence(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HEADCAST_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    main(["doctor"])
    said = capsys.readouterr().out
    assert "flame2023_Open.pkl from https://flame.is.tue.mpg.de" in said and "CC-BY-4.0" in said and str(tmp_path) in said


def test_a_model_in_the_users_folder_is_found(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HEADCAST_MODELS", str(tmp_path))
    (tmp_path / "flame2020.pkl").touch()
    main(["doctor"])
    assert str(tmp_path / "flame2020.pkl") in capsys.readouterr().out


def test_a_missing_package_of_an_extra_is_no_trouble_but_says_how_to_get_it(capsys, monkeypatch):
    _pretend_missing(monkeypatch, "viser")
    assert main(["doctor"]) == 0
    assert "pip install 'headcast[view]'" in capsys.readouterr().out


def test_a_missing_dependency_fails(capsys, monkeypatch):
    _pretend_missing(monkeypatch, "scipy")
    assert main(["doctor"]) == 2
    assert "The main job does not work: see scipy." in capsys.readouterr().out


def test_a_back_end_that_fails_is_shown_with_its_error_and_a_remedy(capsys, monkeypatch):
    def fail():
        raise RuntimeError("no such model in the wheel")

    monkeypatch.setattr(module, "_landmarks", fail)
    assert main(["doctor"]) == 2
    said = capsys.readouterr().out
    assert "RuntimeError: no such model in the wheel" in said and "mediapipe must be 0.10.21" in said


def _pretend_missing(monkeypatch, package):
    real = metadata.version

    def version(name):
        if name == package:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
