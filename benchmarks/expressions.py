"""How well expressions survive a change of the head model, in mm and in weights.

python benchmarks/expressions.py --data ../shared/data [--pictures DIR]

1. Every ARKit expression of the open head, alone, on ICT-FaceKit and on a file of FLAME's layout made from ICT-FaceKit (its surface, its
   expressions mixed by their principal components, a jaw that is a joint): mm from where the face was to be.
2. Round trips of the Face Cap clip (335 frames of ARKit's weights) through such files and back. FLAME itself may not be handed on, so no
   number here is FLAME's.
3. The expressions of the Face Cap mesh, an artist's 52 shapes, on the open head.
4. Three ways to convert a frame: a fixed matrix, one bounded solve that treats turns as straight motion, and the full search.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from headcast.expressions import ARKIT_NAMES, Conversion, convert_expressions
from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel, HeadPose, open_head
from headcast.heads.regions import components, derived_regions, landmark_regions
from headcast.perceive.embedding import embed_landmarks, region_colors
from headcast.render import render_head
from headcast.store.glb import Glb
from headcast.track.models import load_model_for_tracking

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "heads"))
from flame_schema import flame_schema, with_landmarks, write_flame_schema

BAR = 0.05
"""Mean absolute error of a weight after a round trip."""
SHOWN = ("eyeBlinkLeft", "jawOpen", "mouthSmileLeft", "mouthPucker", "mouthFunnel", "browInnerUp", "eyeLookOutLeft")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the test data's folder")
    parser.add_argument("--pictures", type=Path, help="where to draw source and target side by side")
    arguments = parser.parse_args()
    arkit, ict = open_head(), load_model_for_tracking(arguments.data / "models" / "ict_facekit_light_fp16.npz")
    glb = Glb.read(arguments.data / "facecap_plain.glb")
    clip = clip_of(glb, arkit)
    with tempfile.TemporaryDirectory() as folder:
        foreign, own = (schema_of(model, Path(folder) / f"{name}.npz") for model, name in ((ict, "ict"), (arkit, "open")))
    targets = {"ICT": ict, "FLAME layout of ICT": foreign, "FLAME layout of the open head": own}
    there = {name: timed(arkit, target) for name, target in targets.items()}
    table("Every expression alone, mm", there)
    for name, target in targets.items():
        round_trip(name, there[name], convert_expressions(target, arkit), clip)
    ways(there["FLAME layout of ICT"], clip)
    cap = face_cap(glb, arkit)
    shapes = timed(cap, arkit)
    table("Face Cap's own shapes on the open head, mm", {"Face Cap": shapes})
    if arguments.pictures is not None:
        for name, conversion in {**there, "Face Cap on the open head": shapes}.items():
            draw(conversion, arguments.pictures / f"{name.replace(' ', '_')}.png")


def clip_of(glb: Glb, arkit: HeadModel) -> HeadPose:
    """The animation of the file's weights as poses of the open head."""
    names = shape_names(glb)
    weights = glb.array(glb.scene["animations"][0]["samplers"][0]["output"]).reshape(-1, len(names))
    pose = arkit.neutral_pose(len(weights))
    pose.expression[:, [arkit.expression_names.index(name) for name in names]] = torch.from_numpy(weights.copy())
    return pose


def shape_names(glb: Glb) -> list[str]:
    names = [*glb.scene["meshes"][2]["extras"]["targetNames"]]
    return [name[:-2] + {"_L": "Left", "_R": "Right"}[name[-2:]] if name[-2:] in ("_L", "_R") else name for name in names]


def schema_of(model: HeadModel, path: Path) -> HeadModel:
    made = flame_schema(model)
    write_flame_schema(made, path)
    return with_landmarks(made, path, model)


def timed(source: HeadModel, target: HeadModel) -> Conversion:
    start = time.perf_counter()
    conversion = convert_expressions(source, target)
    matched = conversion.transfer.correspondence
    print(f"{source.name} → {Path(target.name).name}: {time.perf_counter() - start:.1f} s, {matched.matched:.1%} of the face matched, "
          f"surfaces {1e3 * matched.apart_m:.2f} mm apart, missing: {', '.join(conversion.missing) or 'none'}")  # fmt: skip
    return conversion


def table(title: str, conversions: dict[str, Conversion]) -> None:
    """ARKit's expressions in rows; mean, worst and motion of each conversion in columns."""
    print(f"\n{title}: mean, worst, mean motion")
    print("| expression | " + " | ".join(conversions) + " |\n|---|" + "---|" * len(conversions))
    for name in ARKIT_NAMES:
        errors = [next(error for error in conversion.errors if error.name == name) for conversion in conversions.values()]
        cells = ["missing" if e.missing else f"{e.mean_mm:.2f}, {e.worst_mm:.1f}, {e.motion_mm:.2f}" for e in errors]
        print(f"| {name} | " + " | ".join(cells) + " |")
    means = [np.mean([error.mean_mm for error in conversion.errors]) for conversion in conversions.values()]
    print("| **mean** | " + " | ".join(f"{mean:.2f}" for mean in means) + " |\n")


def round_trip(name: str, there: Conversion, back: Conversion, clip: HeadPose) -> None:
    start = time.perf_counter()
    shown = there.apply(clip)
    seconds = time.perf_counter() - start
    found = back.apply(shown)
    error = (found.expression - clip.expression).abs().numpy()
    by_name = error.mean(0)
    worst = by_name.argmax()
    print(f"round trip, {name}: mean {error.mean():.4f} (bar {BAR}: {'met' if error.mean() <= BAR else 'MISSED'}; mean weight "
          f"{float(clip.expression.mean()):.3f}), worst channel {clip_name(there, worst)} {by_name[worst]:.3f}, "
          f"{1e3 * seconds / len(error):.0f} ms a frame, {there.frame_error_mm(clip, shown).mean():.2f} mm off there")  # fmt: skip


def clip_name(conversion: Conversion, idx: int) -> str:
    return conversion.source.expression_names[idx]


def ways(conversion: Conversion, clip: HeadPose) -> None:
    """Every fifth frame by a matrix of each expression's own solution, by one bounded solve, and by the search."""
    clip = HeadPose(clip.expression[::5], clip.joint_rotations[::5], clip.world_from_head[slice(None, None, 5)])
    source, solver = conversion.source, conversion._solver
    each = source.neutral_pose(source.expression_count)
    each = replace(each, expression=torch.eye(source.expression_count))
    matrix = conversion.unknowns(each)
    results = {
        "matrix": lambda: np.clip(clip.expression.numpy().astype(np.float64) @ matrix, solver.lower, solver.upper),
        "one bounded solve": lambda: conversion.unknowns(clip, steps=1),
        "search": lambda: conversion.unknowns(clip),
    }
    for name, make in results.items():
        start = time.perf_counter()
        unknowns = make()
        seconds = time.perf_counter() - start
        error = conversion.frame_error_mm(clip, conversion._pose(unknowns, clip))
        print(f"{name}: {error.mean():.3f} mm mean, {error.max():.2f} mm in the worst frame, {1e3 * seconds / len(error):.1f} ms a frame")


def face_cap(glb: Glb, like: HeadModel) -> HeadModel:
    """The file's head and eyes as a head model in metres: eyes as far apart as the open head's, landmarks found by rendering it.

    The file's nodes put +Y to the front and +Z down. Loose parts of the head (lashes, mouth, tongue) are no skin.
    """
    (head, head_faces, first), *eyes = (part(glb, node) for node in (2, 0, 1))
    upright = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    centres = [np.array(glb.scene["nodes"][node]["translation"]) for node in (5, 7)]
    placed = [head, *(eye[0] + centre for eye, centre in zip(eyes, centres))]
    order = [0, 1, 2] if centres[0][0] > centres[1][0] else [0, 2, 1]
    placed, faces = [placed[k] for k in order], [[head_faces, *(eye[1] for eye in eyes)][k] for k in order]
    starts = np.cumsum([0, *(len(points) for points in placed)])
    parts = np.repeat(np.arange(3), np.diff(starts))
    joints = np.stack([centres[k - 1] for k in order[1:]]) @ upright.T
    scale = float((like.joint_template[2] - like.joint_template[3]).norm()) / np.linalg.norm(joints[0] - joints[1])
    template = scale * (np.concatenate(placed) @ upright.T - joints.mean(0))
    faces = np.concatenate([some + start for some, start in zip(faces, starts)])
    names, shapes = shape_names(glb), np.zeros((52, len(template), 3))
    for shape, target in zip(shapes, glb.scene["meshes"][2]["primitives"][0]["targets"]):
        shape[parts == 0] = scale * (glb.array(target["POSITION"])[first] * np.array(glb.scene["nodes"][2]["scale"])) @ upright.T
    turns = torch.zeros(52, 3, 3)
    for idx, name in enumerate(names):
        if name.startswith("eyeLook"):
            turns[idx, 1:] = like.expression_joint_rotations[like.expression_names.index(name), 2:4]
    weights = np.stack([np.zeros(len(parts)), parts == 1, parts == 2], 1)
    model = replace(
        like,
        name="Face Cap",
        template=floats(template),
        faces=torch.from_numpy(faces),
        identity_basis=torch.zeros(0, len(template), 3),
        expression_basis=floats(shapes),
        expression_names=tuple(names),
        expression_joint_rotations=turns,
        joint_names=("neck", "left_eye", "right_eye"),
        joint_parents=(-1, 0, 0),
        joint_template=floats(scale * np.concatenate([[[0, 0, 0]], joints - joints.mean(0)])),
        joint_identity_basis=torch.zeros(0, 3, 3),
        joint_expression_basis=torch.zeros(52, 3, 3),
        skinning_weights=floats(weights),
        uv=torch.zeros(1, 2),
        uv_faces=torch.zeros(len(faces), 3, dtype=torch.int64),
        landmarks={},
        regions=regions_of(template, faces, parts, shapes[names.index("tongueOut")]),
        mirror=None,
        about={},
    )
    model = replace(model, landmarks=embed_landmarks(model)[0])
    marks = model.landmarks["ibug_68"].points(model.template, model.faces).double().numpy()
    drawn = landmark_regions(template, model.regions["face"].numpy() | model.regions["lips"].numpy(), marks)
    return replace(model, regions={**model.regions, **{name: torch.from_numpy(mask) for name, mask in drawn.items()}})


def part(glb: Glb, node: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of a node's mesh as the node scales and moves them, welded; faces; and which vertices of the file they are."""
    entry = glb.scene["nodes"][node]
    primitive = glb.scene["meshes"][entry["mesh"]]["primitives"][0]
    stored = glb.array(primitive["attributes"]["POSITION"]).astype(np.float64)
    _, first, place = np.unique(stored, axis=0, return_index=True, return_inverse=True)
    faces = place.ravel()[glb.array(primitive["indices"]).reshape(-1, 3).astype(np.int64)]
    return stored[first] * np.array(entry["scale"]) + np.array(entry["translation"]), faces, first


def regions_of(template: np.ndarray, faces: np.ndarray, parts: np.ndarray, tongue_out: np.ndarray) -> dict[str, torch.Tensor]:
    eyeballs = parts > 0
    loose = components(faces, len(template))
    moved = np.linalg.norm(tongue_out, axis=1)
    tongue = moved > 0.3 * moved.max()
    skin = (loose == 0) & ~tongue
    centres = [template[parts == side].mean(0) for side in (1, 2)]
    found = derived_regions(template, faces, eyeballs, ~(skin | eyeballs), float(np.linalg.norm(centres[0] - centres[1])))
    found |= {"tongue": tongue, "mouth_interior": ~(skin | eyeballs | tongue)}
    return {name: torch.from_numpy(mask) for name, mask in found.items()}


def floats(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def draw(conversion: Conversion, path: Path) -> None:
    """Some expressions on the source, and below them on the target."""
    pose = conversion.source.neutral_pose(1 + len(SHOWN))
    for idx, name in enumerate(SHOWN, start=1):
        pose.expression[idx, conversion.source.expression_names.index(name)] = 1
    rows = [strip(conversion.source, pose), strip(conversion.target, conversion.apply(pose))]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(path)


def strip(model: HeadModel, pose: HeadPose) -> np.ndarray:
    camera = Camera.looking_along_minus_z(900.0, (330, 260))
    moved = Transform(torch.eye(3), torch.tensor([0.0, 0.03, -0.75]))
    camera = replace(camera, camera_from_world=camera.camera_from_world @ moved)
    light = torch.zeros(9, 3)
    light[:4] = torch.tensor([0.75, 0.12, 0.35, 0.0])[:, None]
    meshes = (model.shaped(torch.zeros(0)).posed(HeadPose(e, j, Transform.identity())) for e, j in zip(pose.expression, pose.joint_rotations))
    background = torch.tensor([0.5, 0.5, 0.55])
    pictures = (render_head(mesh, camera, region_colors(model), light, background=background, samples=2).color for mesh in meshes)
    return np.concatenate([(picture.clamp(0, 1) * 255).byte().numpy() for picture in pictures], 1)


if __name__ == "__main__":
    main()
