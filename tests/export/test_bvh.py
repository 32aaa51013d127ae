"""BVH: joints are where the tracked head has them, and files of others are read too."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from small_tracks import small_track

from headcast.errors import FormatError, InputError
from headcast.export import export_bvh, read_bvh
from headcast.heads import joint_transforms, open_head
from headcast.solve.step import follow


def tracked_places(track):
    """World positions of the model's joints: skinning says where a joint's rest place goes with the joint above it."""
    model, head = open_head(), track.head(open_head())
    pose = track.pose()
    rotations, _ = head.turned_joints(pose)
    rest = head.joints.expand(track.frame_count, -1, -1)
    moved = joint_transforms(rotations, rest, model.joint_parents)
    places = []
    for joint, parent in enumerate(model.joint_parents):
        place = rest[:, joint]
        if parent >= 0:
            place = (moved.rotation[:, parent] @ place[..., None])[..., 0] + moved.translation[:, parent]
        places.append(place)
    return pose.world_from_head.points(torch.stack(places, 1)).numpy()


def test_joints_are_where_the_tracked_head_has_them(tmp_path):
    track = small_track(open_head(), frame_count=7, invalid=())
    follow(export_bvh(track, open_head(), tmp_path / "head.bvh"))
    clip = read_bvh(tmp_path / "head.bvh")
    assert clip.joint_names[0] == "head" and set(clip.joint_names[1:]) == set(open_head().joint_names)
    order = [clip.joint_names.index(name) for name in open_head().joint_names]
    # The file has six decimals: micrometres, and millionths of degrees.
    np.testing.assert_allclose(clip.places()[:, order], tracked_places(track), atol=5e-6)
    np.testing.assert_allclose(clip.places()[:, 0], track.world_from_head.translation, atol=1e-6)
    rotations, _ = track.head(open_head()).turned_joints(track.pose())
    np.testing.assert_allclose(clip.rotations[:, order], rotations, atol=1e-6)
    np.testing.assert_allclose(clip.rotations[:, 0], track.world_from_head.rotation, atol=1e-6)
    np.testing.assert_allclose(clip.frame_time_s, 0.04, rtol=1e-5)


def test_channels_and_their_order_are_written_out(tmp_path):
    """Players such as Blender go by them: the rotation is the product in the order of the channels, Rz · Rx · Ry."""
    track = small_track(open_head(), frame_count=1, invalid=())
    turn = Rotation.from_euler("ZXY", [5, 10, 30], degrees=True).as_matrix()[None].astype(np.float32)
    track = replace(track, world_from_head=replace(track.world_from_head, rotation=torch.from_numpy(turn)))
    follow(export_bvh(track, open_head(), tmp_path / "head.bvh"))
    lines = (tmp_path / "head.bvh").read_text().splitlines()
    assert lines[:5] == ["HIERARCHY", "ROOT head", "{", "\tOFFSET 0 0 0", "\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"]
    np.testing.assert_allclose([float(number) for number in lines[-1].split()[3:6]], [5, 10, 30], atol=1e-4)
    assert lines.count("MOTION") == 1 and "Frames: 1" in lines and any(line.startswith("Frame Time: 0.033333") for line in lines)


def test_angles_do_not_jump_by_whole_turns(tmp_path):
    track = small_track(open_head(), frame_count=60, invalid=())
    turns = torch.linspace(0, 3 * np.pi, 60)[:, None] * torch.tensor([0.0, 1.0, 0.0])
    track = replace(track, world_from_head=type(track.world_from_head).from_axis_angle(turns, track.world_from_head.translation))
    follow(export_bvh(track, open_head(), tmp_path / "head.bvh"))
    text = (tmp_path / "head.bvh").read_text().split("Frame Time")[1].splitlines()[1:]
    angles = np.array([line.split()[3:6] for line in text], float)
    assert np.abs(np.diff(angles, axis=0)).max() < 30
    np.testing.assert_allclose(read_bvh(tmp_path / "head.bvh").rotations[:, 0], track.world_from_head.rotation, atol=1e-5)


def test_uneven_times_are_said(tmp_path):
    track = small_track(open_head(), frame_count=4, invalid=())
    steps = []
    follow(export_bvh(replace(track, time_s=torch.tensor([0.0, 0.04, 0.1, 0.12])), open_head(), tmp_path / "a.bvh"), steps.append)
    assert "up to 20.0 ms beside it" in steps[-1].message
    follow(export_bvh(track, open_head(), tmp_path / "b.bvh"), steps.append)
    assert not steps[-1].message


OTHER = """HIERARCHY
ROOT Hips
{{
  OFFSET 1 2 3
  CHANNELS 6 Zposition Xposition Yposition {first}rotation {second}rotation {third}rotation
  JOINT Head
  {{
    OFFSET 0 10 0
    CHANNELS 3 {third}rotation {first}rotation {second}rotation
    End Site
    {{
      OFFSET 0 5 0
    }}
  }}
}}
MOTION
Frames: 1
Frame Time: 0.01
{numbers}
"""


@given(st.permutations("XYZ"), st.lists(st.floats(-180, 180), min_size=9, max_size=9))
@settings(max_examples=30, deadline=None)
def test_channels_in_any_order_are_read(tmp_path_factory, axes, numbers):
    path = tmp_path_factory.mktemp("bvh") / "other.bvh"
    path.write_text(OTHER.format(first=axes[0], second=axes[1], third=axes[2], numbers=" ".join(f"{number:.6f}" for number in numbers)))
    clip = read_bvh(path)
    assert clip.joint_names == ("Hips", "Head") and clip.joint_parents == (-1, 0)
    z, x, y, *angles = (round(number, 6) for number in numbers)
    hips = Rotation.from_euler("".join(axes), angles[:3], degrees=True)
    head = Rotation.from_euler(axes[2] + axes[0] + axes[1], angles[3:], degrees=True)
    np.testing.assert_allclose(clip.rotations[0], [hips.as_matrix(), head.as_matrix()], atol=1e-9)
    place = np.array([1 + x, 2 + y, 3 + z])
    np.testing.assert_allclose(clip.places()[0], [place, place + hips.apply([0, 10, 0])], atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("MOTION", "STILL", "not enough values"),
        ("Zposition", "Zpoke", "Zpoke"),
        ("Frame Time: 0.01", "Frame Time: soon", "soon"),
        ("1 2 3 4 5 6 7 8 9", "1 2 3", "9 channels, and 3 numbers"),
        ("JOINT", "LIMB", "'LIMB'"),
    ],
)
def test_what_is_no_bvh_is_refused(tmp_path, old, new, words):
    text = OTHER.format(first="X", second="Y", third="Z", numbers="1 2 3 4 5 6 7 8 9")
    (tmp_path / "a.bvh").write_text(text.replace(old, new))
    with pytest.raises(FormatError, match=words):
        read_bvh(tmp_path / "a.bvh")


def test_a_missing_bvh_is_said(tmp_path):
    with pytest.raises(InputError, match="found none"):
        read_bvh(tmp_path / "gone.bvh")
