"""A short run with labels that avatar tests share and do not change."""

import shutil

import pytest

from headcast.parse import ParseConfig, parse
from headcast.track.run import Run


@pytest.fixture(scope="session")
def parsed_run(portrait_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("avatars") / "run"
    shutil.copytree(portrait_run.paths.root, folder)
    parse(Run.open(folder), ParseConfig(preview=False))
    return Run.open(folder)
