"""`headcast avatar` and `headcast evaluate avatar`: what they write, what they go on with, and what they say of bad input."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from portrait_clips import FAST, FASTEST, moving_portrait, write_video
from tiny_networks import difference

from headcast.avatars import Split, load_avatar
from headcast.cli.main import main
from headcast.evaluate.avatars import REGIONS
from headcast.store import AvatarPaths, read_json, write_json
from headcast.track import Track

QUICK = ("--mesh.components", "1", "--mesh.most-frames", "6", "--mesh.outline-frames", "2", "--mesh.outline-rounds", "1", "--mesh.texture-px", "64")


def _said(capsys):
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("avatar")
    write_video(folder / "video.mp4", moving_portrait(8, (192, 192)))
    assert main(["track", str(folder / "video.mp4"), "--out", str(folder / "run"), *FAST]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def avatar(run):
    folder = run.parent / "avatar"
    assert main(["avatar", str(run), "--out", str(folder), *QUICK]) == 0
    return folder


def test_an_avatar_is_written_with_its_split_and_facts(avatar, run):
    paths = AvatarPaths(avatar)
    details = read_json(paths.about)["details"]
    assert details["avatar"] == "mesh" and details["training_frames"] == 6 and details["held_out_frames"] == 2
    assert Split.read(paths.split, 8) == Split(tuple(range(6)), (6, 7))
    assert load_avatar(avatar).kind == "mesh"
    assert {"outline", "texture", "refine"} <= set(details["seconds_per_stage"])
    assert (run / "parsing" / "about.json").is_file()


def test_a_finished_avatar_is_used_as_it_is(avatar, run, capsys):
    before = AvatarPaths(avatar).arrays.stat().st_mtime_ns
    assert main(["avatar", str(run), "--out", str(avatar), *QUICK, "--resume"]) == 0
    assert AvatarPaths(avatar).arrays.stat().st_mtime_ns == before
    assert main(["avatar", str(run), "--out", str(avatar), *QUICK]) == 2
    assert "expected an empty folder. Use --resume" in _said(capsys)
    assert main(["avatar", str(run), "--out", str(avatar), "--resume"]) == 2
    assert "begun with other settings" in _said(capsys)


def test_an_unfinished_avatar_is_built_with_resume(run, tmp_path):
    folder = tmp_path / "avatar"
    assert main(["avatar", str(run), "--out", str(folder), *QUICK]) == 0
    about = read_json(folder / "about.json")
    write_json(folder / "about.json", {**about, "details": {"finished": False}})
    (folder / "avatar.npz").write_bytes(b"half")
    assert main(["avatar", str(run), "--out", str(folder), *QUICK, "--resume"]) == 0
    assert load_avatar(folder).kind == "mesh"


def test_a_recording_is_tracked_into_the_avatar_first(tmp_path):
    video = write_video(tmp_path / "video.mp4", moving_portrait(6, (128, 128)))
    assert main(["avatar", str(video), "--out", str(tmp_path / "avatar"), *QUICK]) == 0
    assert (tmp_path / "avatar" / "run" / "report.html").is_file() and load_avatar(tmp_path / "avatar").kind == "mesh"


def test_an_avatar_is_compared_with_its_recording(avatar, run, capsys):
    assert main(["evaluate", "avatar", str(avatar), str(run), "--refit"]) == 0
    shown = capsys.readouterr().out
    paths = AvatarPaths(avatar).evaluation
    values = read_json(paths.values)
    assert values["frames"] == {"reconstruction": list(range(6)), "drive": [6, 7], "refit": [6, 7]}
    for name in ("mesh", "baseline"):
        for protocol in values["frames"]:
            assert set(values["means"][name][protocol]) == set(REGIONS)
            assert len(values["psnr_db"][name][protocol]) == len(values["frames"][protocol])
    drive = {name: values["means"][name]["drive"]["head"] for name in ("mesh", "baseline")}
    assert drive["mesh"]["psnr_db"] > drive["baseline"]["psnr_db"] + 3
    assert drive["mesh"]["ms_ssim"] is not None and drive["mesh"]["landmarks_px"] < 5 and drive["mesh"]["flicker"] > 0
    assert drive["mesh"]["lpips"] is None and drive["mesh"]["identity"] is None
    assert values["means"]["mesh"]["refit"]["head"]["psnr_db"] >= drive["mesh"]["psnr_db"]
    assert "mesh" in shown and "drive" in shown
    page = paths.page.read_text(encoding="utf-8")
    assert "Held out, pose found anew" in page and "the worst" in page and paths.comparison.name in page
    assert paths.comparison.stat().st_size > 1000
    assert np.asarray(Image.open(paths.novel_views)).shape == (2 * 192, 7 * 192, 3)


def test_networks_that_are_brought_judge_as_well(avatar, run, tmp_path):
    # Inputs and output of this network are those of a perceptual distance; it gives the difference of red at each pixel.
    network = difference(tmp_path / "lpips.onnx")
    arguments = ["evaluate", "avatar", str(avatar), str(run), "--networks.lpips", str(network), "--every", "2", "--no-landmarks", "--no-baseline"]
    assert main(arguments) == 0
    values = read_json(AvatarPaths(avatar).evaluation.values)
    assert isinstance(values["means"]["mesh"]["drive"]["head"]["lpips"], float) and list(values["means"]) == ["mesh"]
    assert values["frames"]["drive"] == [6] and values["means"]["mesh"]["drive"]["head"]["flicker"] is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (slice(2, None), "expected at least 4 training frames with a tracked face, found 2 among the 6 that train of 8"),
        (slice(0, 8), "found 0 among the 6"),
    ],
)
def test_a_track_with_too_little_is_refused(run, tmp_path, changed, said, capsys):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    track = Track.load(copy / "track.npz")
    valid = track.valid.clone()
    valid[changed] = False
    replace(track, valid=valid).save(copy / "track.npz")
    assert main(["avatar", str(copy), "--out", str(tmp_path / "avatar"), *QUICK]) == 2
    assert said in _said(capsys)


def test_a_track_that_lost_most_frames_is_refused(tmp_path, capsys):
    blank = [np.full((128, 128, 3), 90, np.uint8)] * 8
    write_video(tmp_path / "video.mp4", moving_portrait(5, (128, 128)) + blank)
    assert main(["track", str(tmp_path / "video.mp4"), "--out", str(tmp_path / "run"), *FASTEST]) == 0
    write_json(tmp_path / "split.json", {"train": list(range(12)), "val": [12]})
    assert main(["avatar", str(tmp_path / "run"), "--out", str(tmp_path / "avatar"), *QUICK, "--split", str(tmp_path / "split.json")]) == 2
    assert "expected a tracked face in most training frames, found it in 5 of 12" in _said(capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["avatar", "none", "--out", "a"], "expected a finished run or a recording, found nothing at none"),
        (["avatar", "RUN", "--out", "a", "--resume", "--overwrite"], "expected one of them, found both"),
        (["avatar", "RUN", "--out", "RUN"], "expected an empty folder"),
        (["avatar", "RUN", "--out", "RUN", "--overwrite"], "expected a folder of kind 'avatar', found one of kind 'track'"),
        (["avatar", "RUN", "--out", "a", "--largest-px", "8"], "largest_px must be at least 64"),
        (["evaluate", "avatar", "none", "RUN"], "expected the folder of an avatar, found nothing"),
        (["evaluate", "avatar", "RUN", "RUN"], "expected a folder of kind 'avatar', found one of kind 'track'"),
        (["evaluate", "avatar", "AVATAR", "none"], "expected the folder of a tracking run"),
        (["evaluate", "avatar", "AVATAR", "RUN", "--every", "0"], "must be at least 1"),
        (["evaluate", "avatar", "AVATAR", "RUN", "--split", "none.json"], "expected the file none.json, found none"),
        (["evaluate", "avatar", "AVATAR", "RUN", "--networks.identity", "none.onnx"], "expected an ONNX file, found none"),
    ],
)
def test_bad_input_is_said_in_a_panel(arguments, said, run, avatar, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([{"RUN": str(run), "AVATAR": str(avatar)}.get(word, word) for word in arguments]) == 2
    assert said in _said(capsys)
