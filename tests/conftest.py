"""One short clip and one finished run that tests share and do not change."""

import pytest
from portrait_clips import FAST, moving_portrait, write_video

from headcast.cli.main import main
from headcast.track.run import Run


@pytest.fixture(scope="session")
def portrait_clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clip") / "hopper.mp4", moving_portrait())


@pytest.fixture(scope="session")
def portrait_run(portrait_clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "hopper"
    assert main(["track", str(portrait_clip), "--out", str(folder), *FAST, "--tensorboard"]) == 0
    return Run.open(folder)
