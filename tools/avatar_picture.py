"""Makes docs/images/avatar.jpg: frames that an avatar never saw, the avatar in their poses, and the avatar with expressions and turns of no frame.

headcast track whitehouse_obama_256.mov --out RUN
headcast avatar RUN --out AVATAR --kind gaussian
python tools/avatar_picture.py AVATAR RUN
"""

import sys
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from headcast.animate.camera_paths import turned_about, turns_about
from headcast.avatars import AtRest, Footage, Split, load_avatar
from headcast.heads import HeadModel, HeadPose
from headcast.store import AvatarPaths
from headcast.track.run import Run

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "avatar.jpg"
MADE_UP = (
    ({"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4}, 0, 0),
    ({"jawOpen": 0.5, "browInnerUp": 0.7}, 12, 0),
    ({"eyeBlinkLeft": 1.0, "mouthPucker": 0.6}, -15, 0),
    ({"eyeLookOutLeft": 0.7, "eyeLookInRight": 0.7}, 20, -6),
)
"""Expressions, yaw and pitch (degrees)."""
PANEL_PX = 256


def main() -> None:
    avatar, paths, run = load_avatar(sys.argv[1]), AvatarPaths(Path(sys.argv[1])), Run.open(sys.argv[2])
    held_out = Split.read(paths.split, run.track.frame_count).held_out
    chosen = [held_out[k] for k in np.linspace(0, len(held_out) - 1, len(MADE_UP) + 2).astype(int)[1:-1]]
    recorded, driven = [], []
    for shot in Footage.of(run).shots(chosen):
        recorded.append(torch.from_numpy(shot.on_white(shot.head)))
        driven.append(avatar.render(shot.pose, shot.camera).over(torch.ones(3)))
    rest = AtRest.load(paths.rest, avatar.model)
    made_up = [avatar.render(_posed(avatar.model, rest, *one), rest.camera).over(torch.ones(3)) for one in MADE_UP]
    sheet = torch.cat([torch.cat(row, 1) for row in (recorded, driven, made_up)])
    size = (len(MADE_UP) * PANEL_PX, 3 * PANEL_PX)
    Image.fromarray((sheet.clamp(0, 1) * 255).byte().numpy()).resize(size, Image.Resampling.LANCZOS).save(PICTURE, quality=88)


def _posed(model: HeadModel, rest: AtRest, expressions: dict[str, float], yaw_deg: float, pitch_deg: float) -> HeadPose:
    expression: Float[Tensor, "expression"] = rest.pose.expression.clone()
    for name, weight in expressions.items():
        expression[model.expression_names.index(name)] = weight
    turns = turns_about(rest.camera, np.radians([[yaw_deg, pitch_deg]]))
    turned = turned_about(rest.pose.world_from_head[None], rest.pose.world_from_head.translation, turns)
    return HeadPose(expression, rest.pose.joint_rotations, turned[0])


if __name__ == "__main__":
    main()
