"""A rigged head as one GLB file: skin, expressions as morph targets, texture, and the clip as an animation."""

from collections.abc import Generator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image

from headcast.errors import FormatError
from headcast.export.flame_numbers import what_moving_offsets_lack
from headcast.export.gltf_cameras import gltf_cameras
from headcast.geometry import matrix_from_axis_angle, matrix_from_quaternion, quaternion_from_matrix, vertex_normals
from headcast.heads import HeadModel, HeadPose, ShapedHead
from headcast.heads.model import joint_transforms, skin
from headcast.solve.step import Step
from headcast.store.glb import INDICES, VERTICES, Glb, GlbWriter
from headcast.track import Track

ROOT = "head"
"""The skeleton's root: it carries what the skinning weights leave over, and moves as the whole head."""
_STILL_M = 1e-6
"""Motion of a vertex that is left out of a morph target, metres."""
_STILL_NORMAL = 1e-3
_ROUGHNESS = 0.6
_PLAIN = (0.72, 0.55, 0.47, 1.0)
"""Linear colour of a head whose colours were not solved."""


def export_glb(track: Track, model: HeadModel, out: Path, albedo: UInt8[ndarray, "height width 3"] | None) -> Generator[Step, None, None]:
    """Writes a track as a rigged, animated head.

    World and head space are glTF's: metres, +Y up, the face towards +Z. One morph target per expression, under its name, holds everything that a unit
    of it does at rest, the turning of jaw and eyes included, as straight motion of the vertices: so weights alone move the face, as apps with
    ARKit expressions expect. The joints "neck", "jaw", "left_eye" … turn what is beside.
    """
    writer = GlbWriter()
    head = track.head(model)
    corners = _Corners.of(model)
    _write_mesh(writer, head, corners, albedo)
    yield Step("export", 1, 2)
    _write_animation(writer, track)
    writer.write(out)
    yield Step("export", 2, 2, message=what_a_rig_lacks("glTF", model, track))


def what_a_rig_lacks(name: str, model: HeadModel, track: Track) -> str:
    """What of a model and a track has no place in skins and morph targets, as a sentence; empty where nothing is missing."""
    notes = []
    if model.pose_correctives is not None:
        notes.append(f"{name} has no place for this model's pose correctives: turned joints lack them")
    if bool((model.joint_expression_basis != 0).any()):
        notes.append(f"{name} joints do not move with expressions: they turn about their places at rest")
    if note := what_moving_offsets_lack(track, name):
        notes.append(note)
    return "; ".join(notes)


@dataclass(frozen=True)
class _Corners:
    """glTF has one list of vertices: those of the mesh, repeated where their texture positions differ."""

    vertex: Int[ndarray, "corners"]
    uv: Int[ndarray, "corners"]
    faces: Int[ndarray, "faces 3"]

    @classmethod
    def of(cls, model: HeadModel) -> "_Corners":
        pairs = np.stack([model.faces.numpy().reshape(-1), model.uv_faces.numpy().reshape(-1)], 1)
        distinct, place = np.unique(pairs, axis=0, return_inverse=True)
        return cls(distinct[:, 0], distinct[:, 1], place.reshape(-1, 3))


def _write_mesh(writer: GlbWriter, head: ShapedHead, corners: _Corners, albedo: UInt8[ndarray, "height width 3"] | None) -> None:
    model = head.model
    names = (ROOT, *model.joint_names)
    rest, normals = head.vertices.numpy(), vertex_normals(head.vertices, model.faces).numpy()
    uv = model.uv.numpy()[corners.uv] * [1, -1] + [0, 1]
    joints, weights = strongest_joints(model.skinning_weights.numpy()[corners.vertex], 4)
    primitive = {
        "attributes": {
            "POSITION": writer.array(rest[corners.vertex], VERTICES, bounds=True),
            "NORMAL": writer.array(normals[corners.vertex], VERTICES),
            "TEXCOORD_0": writer.array(uv.astype(np.float32), VERTICES),
            "JOINTS_0": writer.array(joints, VERTICES),
            "WEIGHTS_0": writer.array(weights, VERTICES),
        },
        "indices": writer.array(corners.faces.reshape(-1).astype(np.uint32), INDICES),
        "material": 0,
        "targets": [
            {"POSITION": writer.sparse_rows(shift[corners.vertex]), "NORMAL": writer.sparse_rows(turn[corners.vertex])}
            for shift, turn in morphs(head, rest, normals)
        ],
    }
    places = np.concatenate([np.zeros((1, 3), np.float32), head.joints.numpy()])
    parents = (-1, *(parent + 1 for parent in model.joint_parents))
    binds = np.tile(np.eye(4, dtype=np.float32), (len(names), 1, 1))
    binds[:, :3, 3] = -places
    nodes = [
        _without_none(
            name=name,
            translation=None if parent < 0 else (places[joint] - places[parent]).tolist(),
            children=[child for child, above in enumerate(parents) if above == joint] or None,
        )
        for joint, (name, parent) in enumerate(zip(names, parents, strict=True))
    ]
    material: dict[str, Any] = {"metallicFactor": 0, "roughnessFactor": _ROUGHNESS}
    if albedo is None:
        material["baseColorFactor"] = list(_PLAIN)
    else:
        encoded = BytesIO()
        Image.fromarray(albedo).save(encoded, "PNG")
        material["baseColorTexture"] = {"index": 0}
        writer.scene |= {"images": [writer.picture(encoded.getvalue(), "image/png")], "textures": [{"source": 0, "sampler": 0}]}
        writer.scene["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}]
    mesh = {"name": "face", "primitives": [primitive]}
    if model.expression_count:
        mesh |= {"weights": [0.0] * model.expression_count, "extras": {"targetNames": list(model.expression_names)}}
    else:
        del primitive["targets"]
    skin = {"inverseBindMatrices": writer.array(binds), "joints": list(range(len(names))), "skeleton": 0}
    writer.scene |= {
        "asset": {"version": "2.0", "generator": "Headcast"},
        "scene": 0,
        "scenes": [{"nodes": [0, len(nodes)]}],
        "nodes": [*nodes, {"name": "face", "mesh": 0, "skin": 0}],
        "meshes": [mesh],
        "skins": [skin],
        "materials": [{"name": "skin", "pbrMetallicRoughness": material}],
    }


def _without_none(**entries) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if value is not None}


def strongest_joints(weights: Float[ndarray, "corners joints"], count: int) -> tuple[UInt8[ndarray, "corners held"], Float[ndarray, "corners held"]]:
    """The `count` joints that hold a vertex most, the root included as number 0, with weights that sum to one."""
    whole = np.concatenate([np.maximum(1 - weights.sum(1, keepdims=True), 0), weights], 1)
    order = np.argsort(-whole, axis=1, kind="stable")[:, :count]
    order = np.pad(order, ((0, 0), (0, max(0, count - order.shape[1]))))
    kept = np.take_along_axis(whole, order, 1)
    kept[:, whole.shape[1] :] = 0
    kept /= kept.sum(1, keepdims=True)
    return np.where(kept > 0, order, 0).astype(np.uint8), kept.astype(np.float32)


def morphs(head: ShapedHead, rest: Float[ndarray, "vertices 3"], normals: Float[ndarray, "vertices 3"]) -> Generator[tuple, None, None]:
    """Per expression how vertices and normals move; what hardly moves is zero."""
    model = head.model
    neutral = model.neutral_pose()
    for one in torch.eye(model.expression_count):
        posed = head.posed(HeadPose(one, neutral.joint_rotations, neutral.world_from_head)).vertices
        shift, turn = posed.numpy() - rest, vertex_normals(posed, model.faces).numpy() - normals
        shift[np.abs(shift).max(1) < _STILL_M] = 0
        turn[np.abs(turn).max(1) < _STILL_NORMAL] = 0
        yield shift, turn


def _write_animation(writer: GlbWriter, track: Track) -> None:
    """Whole head, joints and expressions over time, and the cameras, which move too where they were moved."""
    channels, samplers = [], []
    time = writer.array((track.time_s - track.time_s[0]).numpy().astype(np.float32), bounds=True)

    def move(node: int, path: str, values: torch.Tensor) -> None:
        samplers.append({"input": time, "output": writer.array(np.ascontiguousarray(values.numpy(), np.float32)), "interpolation": "LINEAR"})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

    move(0, "translation", track.world_from_head.translation)
    move(0, "rotation", continuous_quaternions(track.world_from_head.rotation))
    for joint in range(len(track.joint_names)):
        move(1 + joint, "rotation", continuous_quaternions(matrix_from_axis_angle(track.joint_rotations[:, joint])))
    if track.expression.shape[1]:
        move(1 + len(track.joint_names), "weights", track.expression.reshape(-1))
    nodes, cameras = writer.scene["nodes"], list(gltf_cameras(track))
    for number, camera in enumerate(cameras):
        nodes.append(camera.node(number))
        writer.scene["scenes"][0]["nodes"].append(len(nodes) - 1)
        if camera.moves:
            move(len(nodes) - 1, "translation", camera.world_from_camera.translation)
            move(len(nodes) - 1, "rotation", continuous_quaternions(camera.world_from_camera.rotation))
    writer.scene["cameras"] = [{"type": "perspective", "perspective": camera.perspective} for camera in cameras]
    writer.scene["animations"] = [{"name": "performance", "channels": channels, "samplers": samplers}]


def continuous_quaternions(rotations: Float[torch.Tensor, "frames 3 3"]) -> Float[torch.Tensor, "frames 4"]:
    """(x, y, z, w), each on the side of the one before, so that players turn the short way."""
    wxyz = quaternion_from_matrix(rotations)
    signs = torch.sign((wxyz[1:] * wxyz[:-1]).sum(-1))
    signs[signs == 0] = 1
    wxyz = wxyz * torch.cat([torch.ones(1), torch.cumprod(signs, 0)])[:, None]
    return torch.nn.functional.normalize(wxyz[:, [1, 2, 3, 0]], dim=-1)


@dataclass(frozen=True)
class RiggedHead:
    """What a GLB file of `export_glb` says, for NumPy."""

    vertices: Float[ndarray, "corners 3"]
    normals: Float[ndarray, "corners 3"]
    uv: Float[ndarray, "corners 2"]
    """(0, 0) is the lower left corner of the texture, as everywhere in Headcast."""
    faces: Int[ndarray, "faces 3"]
    expression_names: tuple[str, ...]
    expression_basis: Float[ndarray, "expression corners 3"]
    joint_names: tuple[str, ...]
    """The root first."""
    joint_parents: tuple[int, ...]
    joint_places: Float[ndarray, "joints 3"]
    skinning_weights: Float[ndarray, "corners joints"]
    time_s: Float[ndarray, "frames"]
    expression: Float[ndarray, "frames expression"]
    joint_rotations: Float[ndarray, "frames joints 3 3"]
    """Of each joint relative to its parent; the root's relative to the world."""
    root_translation: Float[ndarray, "frames 3"]
    texture: UInt8[ndarray, "height width 3"] | None

    def posed(self, frame: int) -> Float[ndarray, "corners 3"]:
        """World positions of a frame: morph targets, then linear blend skinning."""
        shaped = torch.from_numpy(self.vertices + np.einsum("e,evk->vk", self.expression[frame], self.expression_basis))
        joints = joint_transforms(torch.from_numpy(self.joint_rotations[frame]), torch.from_numpy(self.joint_places), self.joint_parents)
        return skin(shaped, torch.from_numpy(self.skinning_weights), joints).numpy() + self.root_translation[frame]


def read_glb(path: Path) -> RiggedHead:
    """Reads a rigged head back; raises `FormatError` for files that are none."""
    glb = Glb.read(path)
    scene = glb.scene
    if not all(scene.get(part) for part in ("meshes", "skins", "animations")):
        raise FormatError(f"expected a GLB file with a mesh, a skin and an animation, as `--to glb` writes it, found {sorted(scene)}: {path}")
    mesh, skin, animation = scene["meshes"][0], scene["skins"][0], scene["animations"][0]
    primitive = mesh["primitives"][0]
    attributes = {name: glb.array(accessor) for name, accessor in primitive["attributes"].items()}
    targets = [glb.array(target["POSITION"]) for target in primitive.get("targets", [])]
    count = len(attributes["POSITION"])
    joints = skin["joints"]
    weights = np.zeros((count, len(joints)), np.float32)
    np.add.at(weights, (np.arange(count)[:, None], attributes["JOINTS_0"].astype(int)), attributes["WEIGHTS_0"])
    above = {child: node for node, entry in enumerate(scene["nodes"]) for child in entry.get("children", [])}
    tracks = {
        (channel["target"]["node"], channel["target"]["path"]): glb.array(animation["samplers"][channel["sampler"]]["output"])
        for channel in animation["channels"]
    }
    time = glb.array(animation["samplers"][0]["input"])
    mesh_node = next(node for node, entry in enumerate(scene["nodes"]) if "mesh" in entry)
    quaternions = torch.from_numpy(np.stack([tracks[joint, "rotation"] for joint in joints], 1))
    return RiggedHead(
        vertices=attributes["POSITION"],
        normals=attributes["NORMAL"],
        uv=attributes["TEXCOORD_0"] * [1, -1] + [0, 1],
        faces=glb.array(primitive["indices"]).reshape(-1, 3).astype(np.int32),
        expression_names=tuple(mesh.get("extras", {}).get("targetNames", ())),
        expression_basis=np.stack(targets) if targets else np.zeros((0, count, 3), np.float32),
        joint_names=tuple(scene["nodes"][joint]["name"] for joint in joints),
        joint_parents=tuple(joints.index(above[joint]) if above.get(joint) in joints else -1 for joint in joints),
        joint_places=-glb.array(skin["inverseBindMatrices"])[:, :3, 3],
        skinning_weights=weights,
        time_s=time,
        expression=tracks[mesh_node, "weights"].reshape(len(time), -1) if targets else np.zeros((len(time), 0), np.float32),
        joint_rotations=_matrices(quaternions),
        root_translation=tracks[joints[0], "translation"],
        texture=np.asarray(Image.open(BytesIO(glb.picture(0))).convert("RGB")) if scene.get("images") else None,
    )


def _matrices(xyzw: Float[torch.Tensor, "frames joints 4"]) -> Float[ndarray, "frames joints 3 3"]:
    return matrix_from_quaternion(xyzw[..., [3, 0, 1, 2]]).numpy()
