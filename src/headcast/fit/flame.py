"""FLAME's numbers of a fit as flame_fitting writes them (its `tracked_flame_params_0.npz`): scan point = scale · FLAME's vertex + translation."""

from pathlib import Path

import numpy as np
import torch

from headcast.export.order import flame_file
from headcast.geometry import Similarity, Transform
from headcast.heads import HeadModel
from headcast.heads.flame import load_flame_root
from headcast.store import write_arrays
from headcast.track import Track

_NO_TEXTURE = np.zeros((1, 3, 1, 1), np.float32)


def write_flame_parameters(path: Path, track: Track, model: HeadModel, scan_from_head: Similarity) -> None:
    """Writes a track of one frame of a FLAME model, in the scan's space and unit; joint angles are in radians.

    `tex_extra` is empty: the texture is a picture beside it. `lights` is light that shades everything one.
    """
    root = load_flame_root(flame_file(model))
    turned = Transform(torch.from_numpy(scan_from_head.rotation).float()[None], torch.zeros(1, 3))
    rotation, shift = root.parameters(turned, track.identity, track.expression)
    joints = track.joint_rotations[0].numpy()
    offsets = np.zeros(model.template.shape, np.float32) if track.offsets is None else track.offsets.numpy()
    write_arrays(
        path,
        {
            "rotation": rotation.numpy(),
            "translation": (scan_from_head.scale * shift.numpy() + scan_from_head.translation).astype(np.float32),
            "scale": np.array([[scan_from_head.scale]], np.float32),
            "neck_pose": joints[0][None],
            "jaw_pose": joints[1][None],
            "eyes_pose": joints[2:4].reshape(1, 6),
            "shape": track.identity.numpy(),
            "expr": track.expression.numpy(),
            "tex_extra": _NO_TEXTURE,
            "lights": track.light.numpy()[None],
            "static_offset": offsets[None],
            "image_size": np.array(track.camera.size),
            "n_processed_frames": np.array(1),
        },
    )
