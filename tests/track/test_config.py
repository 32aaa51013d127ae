"""No setting is without effect."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

import headcast.track
from headcast.capture import PrepareConfig
from headcast.track.config import Motion, Sigmas, TrackConfig

ROOM = Path(headcast.track.__file__).parent
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in ROOM.parent.rglob("*.py") if path.name != "config.py")

PREPARE = (ROOM.parent / "capture" / "prepare_config.py").read_text(encoding="utf-8")
"""These settings are also read where they are: the class checks them and makes of them what preparing needs."""
TRACK = inspect.getsource(TrackConfig.stage_list)
"""The same: the class makes the list of stages of some of its settings."""


@pytest.mark.parametrize(
    ("owner", "name"), [(owner.__name__, field.name) for owner in (TrackConfig, Sigmas, Motion, PrepareConfig) for field in fields(owner)]
)
def test_every_setting_is_read(owner, name):
    own = {"Sigmas": "sigmas", "Motion": "motion"}.get(owner, r"(?:config|_config|prepare)")
    itself = {"PrepareConfig": PREPARE, "TrackConfig": TRACK}.get(owner, "")
    assert re.search(rf"\b{own}\.{name}\b", SOURCE) or re.search(rf"\bself\.{name}\b", itself), f"nothing reads {owner}.{name}"
