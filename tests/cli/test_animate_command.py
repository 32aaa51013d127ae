"""`headcast animate` as it is typed."""

import av
import cv2
import numpy as np
import pytest

from headcast.avatars import AtRest, BaselineAvatar, save_avatar
from headcast.cli.main import main
from headcast.export import write_performance
from headcast.export.performance import Performance
from headcast.store import AvatarPaths, InputFile


@pytest.fixture(scope="module")
def avatar(portrait_run, tmp_path_factory):
    paths = AvatarPaths(tmp_path_factory.mktemp("avatar"))
    save_avatar(BaselineAvatar.of(portrait_run), paths, {}, {"track": InputFile.of(portrait_run.paths.track)})
    AtRest.of(portrait_run.track, portrait_run.model).save(paths.rest)
    return paths


def pictures(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_an_avatar_driven_by_its_own_run_shows_what_was_recorded(avatar, portrait_run, tmp_path, capsys):
    out = tmp_path / "self.mp4"
    assert main(["animate", str(avatar.root), "--by", str(portrait_run.paths.root), "--out", str(out), "--layers", "alpha"]) == 0
    said = capsys.readouterr().out
    assert str(out) in said and "self.layers" in said
    made, (_, recorded, _) = pictures(out), next(portrait_run.capture.frames([5]))
    assert len(made) == portrait_run.track.frame_count
    alpha = cv2.imread(str(tmp_path / "self.layers/alpha/00005.png"), cv2.IMREAD_UNCHANGED)
    inside = cv2.erode(alpha, np.ones((15, 15), np.uint8)) == 255
    assert inside.sum() > 500
    assert np.abs(made[5][inside].astype(int) - recorded[inside]).mean() < 20


def test_an_avatar_driven_by_curves_opens_its_mouth(avatar, portrait_run, tmp_path):
    model = portrait_run.model
    pose = model.neutral_pose(2)
    pose.expression[1, model.expression_names.index("jawOpen")] = 1.0
    write_performance(Performance(np.array([0.0, 1 / 30]), pose), model, tmp_path / "open.csv")
    out = tmp_path / "open.mp4"
    assert main(["animate", str(avatar.root), "--by", str(tmp_path / "open.csv"), "--out", str(out)]) == 0
    shut, wide = pictures(out)
    assert np.abs(shut.astype(int) - wide).max() > 60


def test_a_video_that_is_there_is_not_replaced_by_accident(avatar, portrait_run, tmp_path, capsys):
    out = tmp_path / "there.mp4"
    out.write_bytes(b"mine")
    command = ["animate", str(avatar.root), "--by", str(portrait_run.paths.root), "--out", str(out)]
    assert main(command) == 2 and out.read_bytes() == b"mine"
    assert "--overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0 and len(pictures(out)) > 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--out": "film.gif"}, ".mp4"),
        ({"--by": "missing.csv"}, "missing.csv"),
        ({"--background": "mauve"}, "mauve"),
        ({"--camera": "cameras.json"}, "cameras.json#left"),
        ({"avatar": "nowhere"}, "nowhere"),
        ({"--strength.channels": ["jawopen", "2"]}, "jawopen"),
    ],
)
def test_what_is_wrong_is_said_in_one_panel(avatar, portrait_run, tmp_path, capsys, monkeypatch, changed, said):
    monkeypatch.chdir(tmp_path)
    given = {"avatar": str(avatar.root), "--by": str(portrait_run.paths.root), "--out": "film.mp4", **changed}
    options = [part for name, value in given.items() if name != "avatar" for part in (name, *([value] if isinstance(value, str) else value))]
    assert main(["animate", given["avatar"], *options]) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert not (tmp_path / "film.mp4").exists()


def test_an_avatar_without_its_rest_is_said(avatar, portrait_run, tmp_path, capsys):
    copy = AvatarPaths(tmp_path / "copy")
    copy.root.mkdir()
    for name in ("about.json", "avatar.npz"):
        (copy.root / name).write_bytes((avatar.root / name).read_bytes())
    assert main(["animate", str(copy.root), "--by", str(portrait_run.paths.root), "--out", str(tmp_path / "x.mp4")]) == 2
    assert "rest.npz" in capsys.readouterr().err
