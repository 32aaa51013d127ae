"""Which pictures are of the same camera, where a file lists pictures and does not say."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal, TypeVar

from headcast.capture.pictures import natural_order
from headcast.capture.written import camera_name
from headcast.errors import InputError

T = TypeVar("T")
_STEP_AND_CAMERA = re.compile(r"(\d{5})_(\d{2})")
"""How `headcast export` names the pictures of a rig (`export.still_head.still_name`): time step and camera."""
PicturesAre = Literal["auto", "cameras", "frames"]
"""What pictures in one folder are: views of one moment by several cameras, or frames of one camera that moves."""


def grouped(lens_of: Mapping[str, object], pictures_are: PicturesAre, where: object) -> dict[str, list[str]]:
    """Pictures of each camera in order of time, by the camera's name; `lens_of` tells by which lens each picture was made.

    Pictures in several folders: each folder is a camera. Pictures in one folder that are named by time step and camera (00012_03.png), as
    `headcast export` names those of a rig, and share a lens where they share a camera: what their names say. Other pictures in one folder: of one
    moment, where each has a lens of its own; frames of one camera, where all share one. `pictures_are` decides for one folder.

    Raises:
        InputError: the pictures are in one folder, and some share a lens, some do not; or the cameras do not show the same moments.
    """
    folders: dict[str, list[str]] = {}
    for name in sorted(lens_of, key=natural_order):
        folders.setdefault(str(PurePosixPath(name).parent), []).append(name)
    if len(folders) > 1:
        _refuse_different_moments(folders, where)
        cameras = _names(list(folders), where)
        return named([cameras[folder] for folder in folders], list(folders.values()), where)
    pictures = next(iter(folders.values()))
    rig = _of_a_rig(lens_of, pictures) if pictures_are == "auto" else {}
    if rig:
        _refuse_missing_steps(rig, where)
        return rig
    lenses = len(set(lens_of.values()))
    if pictures_are == "auto" and 1 < lenses < len(pictures):
        raise InputError(
            f"expected one lens for all pictures (one camera that moves) or one for each (cameras of one moment), found {lenses} for {len(pictures)} "
            f"pictures. Say which with headcast cameras --pictures-are frames (or cameras), or put each camera's pictures into a folder: {where}"
        )
    if pictures_are == "frames" or (pictures_are == "auto" and lenses == 1):
        return {"camera": pictures}
    return named([camera_name(PurePosixPath(name).stem, where) for name in pictures], [[name] for name in pictures], where)


def _of_a_rig(lens_of: Mapping[str, object], pictures: Sequence[str]) -> dict[str, list[str]]:
    """Pictures of each camera of a rig whose pictures are named by time step and camera; empty where they are not, or not of several cameras."""
    cameras: dict[str, list[str]] = {}
    for name in pictures:
        step_and_camera = _STEP_AND_CAMERA.fullmatch(PurePosixPath(name).stem)
        if step_and_camera is None:
            return {}
        cameras.setdefault(step_and_camera[2], []).append(name)
    one_lens_each = all(len({lens_of[name] for name in listed}) == 1 for listed in cameras.values())
    return dict(sorted(cameras.items())) if len(cameras) > 1 and one_lens_each else {}


def _refuse_missing_steps(cameras: Mapping[str, Sequence[str]], where: object) -> None:
    steps = {camera: {PurePosixPath(name).stem[:5] for name in listed} for camera, listed in cameras.items()}
    everywhere = set().union(*steps.values())
    for camera, found in steps.items():
        missing = sorted(everywhere - found)
        if missing:
            raise InputError(
                f"expected pictures of all {len(everywhere)} time steps of each camera, found none of step {missing[0]} of camera {camera!r} "
                f"({len(missing)} missing), in {where}. To read them as frames of one camera that moves, use headcast cameras --pictures-are frames"
            )


def named(names: Sequence[str], groups: Sequence[list[T]], where: object) -> dict[str, list[T]]:
    """Groups by name; raises `InputError` where two have the same."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"expected every camera to have a name of its own, found {twice} more than once, in {where}")
    return dict(zip(names, groups, strict=True))


def _refuse_different_moments(folders: Mapping[str, Sequence[str]], where: object) -> None:
    """Moments are told apart by the last number in the pictures' names."""
    counts = {folder: len(pictures) for folder, pictures in folders.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{folder} {count}" for folder, count in counts.items())
        raise InputError(f"expected as many pictures of each camera (each folder is one), found {found}, in {where}")
    moments = {folder: [_moment(name) for name in pictures] for folder, pictures in folders.items()}
    first, *others = moments
    for folder in others:
        different = [i for i, (a, b) in enumerate(zip(moments[first], moments[folder], strict=True)) if a != b]
        if different and counts[first] > 1:
            here, there = folders[folder][different[0]], folders[first][different[0]]
            raise InputError(f"expected pictures of the same moments of each camera, found {here!r} beside {there!r}, in {where}")


def _moment(name: str) -> str:
    digits = re.findall(r"\d+", PurePosixPath(name).stem)
    return digits[-1].lstrip("0") if digits else PurePosixPath(name).stem


def _names(folders: Sequence[str], where: object) -> dict[str, str]:
    """Names of cameras: of their folders' names, the parts that are not the same for all."""
    parts = {folder: PurePosixPath(folder).parts for folder in folders}
    longest = max(map(len, parts.values()))
    padded = {folder: part + ("",) * (longest - len(part)) for folder, part in parts.items()}
    differing = [place for place in range(longest) if len({part[place] for part in padded.values()}) > 1]
    return {folder: camera_name("_".join(part[place] for place in differing if part[place]) or "camera", where) for folder, part in padded.items()}
