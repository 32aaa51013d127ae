"""The table of formats: every name has an entry, the command line says what is in it, and settings are refused where they would do nothing."""

from dataclasses import replace
from typing import get_args

import pytest
from small_tracks import Recording, small_track

from headcast.errors import ConfigError, InputError
from headcast.export import FORMATS, FormatName, NerfConfig, NerfstudioConfig, chosen_config, export_track, formats_help, places_help
from headcast.heads import open_head
from headcast.solve.step import follow


def test_every_name_has_an_entry_and_every_entry_a_name():
    assert get_args(FormatName) == tuple(FORMATS) and list(FORMATS) == sorted(FORMATS)
    assert len({entry.place for entry in FORMATS.values()}) == len(FORMATS)


def test_the_help_names_all_of_them():
    for name, entry in FORMATS.items():
        assert f"{name}: {entry.help}." in formats_help()
        listed = places_help().split(" or folder ")[entry.folder]
        assert name in listed.replace(")", ",").replace("(", " ").replace(",", " ").split()


def test_settings_are_named_after_their_format():
    for name, entry in FORMATS.items():
        assert entry.config is None or entry.config.option == name
        assert entry.needs_recording or entry.config is None


def test_settings_of_another_format_are_refused():
    configs = {"nerf": NerfConfig(), "nerfstudio": NerfstudioConfig(scale=0.5)}
    assert chosen_config("nerfstudio", configs) == NerfstudioConfig(scale=0.5)
    assert chosen_config("glb", {"nerf": NerfConfig()}) is None
    with pytest.raises(ConfigError, match="--nerfstudio options are for --to nerfstudio, found --to nerf"):
        chosen_config("nerf", configs)


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if entry.needs_recording])
def test_a_data_set_needs_the_recording_and_touches_nothing_without(tmp_path, name):
    (tmp_path / "set" / "images").mkdir(parents=True)
    with pytest.raises(InputError, match="needs the recording's pictures"):
        follow(export_track(small_track(open_head()), open_head(), name, tmp_path / "set", overwrite=True))
    assert (tmp_path / "set" / "images").is_dir()


def test_cameras_that_are_left_out_are_said(tmp_path):
    track = small_track(open_head(), frame_count=1, invalid=())
    track = replace(track, cameras=track.cameras * 2, camera_names=("front", "side"))
    steps = []
    follow(export_track(track, open_head(), "insta", tmp_path / "set", captures=[Recording(track)]), steps.append)
    assert steps[-1].message == "of 2 cameras only the first, 'front', is in the export"


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if entry.folder])
def test_a_folder_export_makes_no_file_that_it_would_not_know_again(tmp_path, name):
    """Or --overwrite would refuse what an export wrote itself."""
    model = open_head()
    track = small_track(model, frame_count=2, invalid=())
    if name in ("imavatar", "flashavatar", "nha"):
        pytest.skip("for FLAME or labelled runs; see their own tests")
    for _ in range(2):
        follow(export_track(track, model, name, tmp_path / "set", overwrite=True, captures=[Recording(track)]))
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"found mine\.txt"):
        follow(export_track(track, model, name, tmp_path / "set", overwrite=True, captures=[Recording(track)]))
