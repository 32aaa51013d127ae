"""Whatever stands in the files of a layout, it is read, or said to be wrong: never a traceback."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rig_nersemble import v1
from test_rig_record3d import exported
from test_rig_rgbd import rgbd
from test_rig_transforms import heads, lens, nerf

from headcast.capture.rigs import open_cameras
from headcast.errors import HeadcastError

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**19) | st.floats(allow_nan=True) | st.sampled_from(["", "a", "../x", "a\0b", "9"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "frames"]), inner, max_size=2),
    max_leaves=6,
)
NERF = {**lens(0), "k1": 0.1, "w": 32, "camera_model": "OPENCV"}
LAYOUTS = {
    "nersemble": (lambda root: v1(root, height=24, width=32), "074/EXP-1", "camera_params/074/camera_params.json"),
    "heads": (heads, ".", "transforms.json"),
    "nerf": (lambda root: nerf(root, ["1.png", "2.png"], top=NERF), ".", "transforms.json"),
    "rgbd": (rgbd, ".", "cameras.json"),
    "record3d": (lambda root: exported(root, perFrameIntrinsicCoeffs=[[30, 31, 12, 16]] * 3), ".", "EXR_RGBD/metadata.json"),
}
"""How each is written, what is opened, and which file is broken."""


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    made = {}
    for name, (write, path, file) in LAYOUTS.items():
        root = tmp_path_factory.mktemp(name)
        write(root)
        made[name] = (root / path, root / file, (root / file).read_text())
    return made


def _places(value, place=()):
    """Every place in a JSON value."""
    yield place
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _places(child, (*place, key))


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_value_that_is_something_else_is_no_traceback(layouts, layout, data):
    path, file, sound = layouts[layout]
    value = json.loads(sound)
    *above, last = data.draw(st.sampled_from([place for place in _places(value) if place]))
    parent = value
    for key in above:
        parent = parent[key]
    if data.draw(st.booleans()) and isinstance(parent, dict):
        del parent[last]
    else:
        parent[last] = data.draw(JUNK)
    file.write_text(json.dumps(value))
    with contextlib.suppress(HeadcastError):
        open_cameras(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_sound_is_read(layouts, layout):
    path, file, sound = layouts[layout]
    file.write_text(sound)
    assert open_cameras(path).cameras
