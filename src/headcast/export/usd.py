"""A rigged head as one USDZ file: UsdSkel's skin, expressions as blend shapes, texture, the clip as an animation, and the camera.

Metres, +Y up, the face towards +Z. Needs the package usd-core.
"""

import tempfile
import zipfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image

from headcast.errors import FormatError, InputError, MissingExtraError
from headcast.export.gltf import ROOT, continuous_quaternions, morphs, strongest_joints, what_a_rig_lacks
from headcast.geometry import Camera, Transform, matrix_from_axis_angle, vertex_normals
from headcast.geometry.conventions import OPENGL_FROM_OPENCV
from headcast.heads import HeadModel, ShapedHead
from headcast.solve.step import Step
from headcast.store import replace_file
from headcast.track import Track

_PLAIN = (0.72, 0.55, 0.47)
"""Linear colour of a head whose colours were not solved."""
_ROUGHNESS = 0.6
_APERTURE = 36.0
"""Width of the camera's film; only its ratio to the focal length counts."""
_FACE, _SKELETON, _CAMERA = "/Head/Face", "/Head/Skeleton", "/Camera"


def export_usd(track: Track, model: HeadModel, out: Path, albedo_picture: Path | None) -> Generator[Step, None, None]:
    """Writes a track as a rigged, animated head. One blend shape per expression holds everything that a unit of it does at rest, the turning of jaw
    and eyes included, as straight motion of the vertices, as in GLB; the joints turn what is beside.

    Raises:
        InputError: the name does not end in .usdz.
        MissingExtraError: usd-core is not installed.
    """
    usd = _package()
    if out.suffix != ".usdz":
        raise InputError(f"expected a name that ends in .usdz, found {out.name!r}: {out}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".usd.") as place:
        layer = Path(place) / "head.usdc"
        texture = None
        if albedo_picture is not None:
            texture = Path(place) / "albedo.png"
            Image.open(albedo_picture).convert("RGB").save(texture)
        stage = usd.Usd.Stage.CreateNew(str(layer))
        _write_head(usd, stage, track, model, texture)
        yield Step("export", 1, 2)
        for camera_idx in range(len(track.cameras)):
            _write_camera(usd, stage, track, camera_idx)
        stage.GetRootLayer().Save()
        with replace_file(out) as temporary:
            if not usd.UsdUtils.CreateNewUsdzPackage(str(layer), str(temporary)):
                raise OSError(f"usd-core could not write {temporary.name}")
    yield Step("export", 2, 2, message=what_a_rig_lacks("USD", model, track))


def _package() -> ModuleType:
    try:
        import pxr
        from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, UsdSkel, UsdUtils, Vt  # noqa: F401  (names of the package once imported)
    except ImportError as error:
        raise MissingExtraError("USD", "usd-core", "usd") from error
    return pxr


def _write_head(usd: ModuleType, stage: Any, track: Track, model: HeadModel, texture: Path | None) -> None:
    UsdGeom, UsdSkel = usd.UsdGeom, usd.UsdSkel
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    rate = _rate(track)
    codes = _codes(track)
    stage.SetTimeCodesPerSecond(rate)
    stage.SetFramesPerSecond(rate)
    stage.SetStartTimeCode(float(codes[0]))
    stage.SetEndTimeCode(float(codes[-1]))
    root = UsdSkel.Root.Define(stage, "/Head")
    stage.SetDefaultPrim(root.GetPrim())
    head = track.head(model)
    joints = _joint_paths(model)
    skeleton = _write_skeleton(usd, stage, head, joints)
    animation = _write_animation(usd, stage, track, head, joints, codes)
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    mesh = _write_mesh(usd, stage, head)
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    _write_skin(usd, binding, model)
    _write_shapes(usd, stage, binding, head)
    _write_material(usd, stage, mesh, texture)


def _rate(track: Track) -> float:
    """Time codes per second: as many as frames."""
    span = float(track.time_s[-1] - track.time_s[0])
    return (track.frame_count - 1) / span if span > 0 else 30.0


def _codes(track: Track) -> Float[ndarray, "frames"]:
    """The time code of every frame."""
    return (track.time_s.double().numpy() - float(track.time_s[0])) * _rate(track)


def _joint_paths(model: HeadModel) -> list[str]:
    paths: list[str] = []
    for name, parent in zip(model.joint_names, model.joint_parents, strict=True):
        paths.append(f"{paths[parent] if parent >= 0 else ROOT}/{name}")
    return [ROOT, *paths]


def _write_skeleton(usd: ModuleType, stage: Any, head: ShapedHead, joints: list[str]) -> Any:
    model, places = head.model, head.joints.double().numpy()
    local = [places[joint] - (places[parent] if parent >= 0 else 0) for joint, parent in enumerate(model.joint_parents)]

    def moves(shifts: list[ndarray]) -> Any:
        matrices = [usd.Gf.Matrix4d().SetTranslate(usd.Gf.Vec3d(*shift.tolist())) for shift in shifts]
        return usd.Vt.Matrix4dArray(matrices)

    skeleton = usd.UsdSkel.Skeleton.Define(stage, _SKELETON)
    skeleton.CreateJointsAttr(joints)
    skeleton.CreateBindTransformsAttr(moves([np.zeros(3), *places]))
    skeleton.CreateRestTransformsAttr(moves([np.zeros(3), *local]))
    return skeleton


def _write_animation(usd: ModuleType, stage: Any, track: Track, head: ShapedHead, joints: list[str], codes: Float[ndarray, "frames"]) -> Any:
    model, Vt = head.model, usd.Vt
    animation = usd.UsdSkel.Animation.Define(stage, f"{_SKELETON}/Animation")
    animation.CreateJointsAttr(joints)
    animation.CreateScalesAttr(Vt.Vec3hArray([usd.Gf.Vec3h(1, 1, 1)] * len(joints)))
    local = head.joints - torch.stack([head.joints[parent] if parent >= 0 else torch.zeros(3) for parent in model.joint_parents])
    places = torch.cat([track.world_from_head.translation[:, None], local.expand(track.frame_count, -1, -1)], 1).contiguous().numpy()
    turns = torch.cat([track.world_from_head.rotation[:, None], matrix_from_axis_angle(track.joint_rotations)], 1)
    quaternions = torch.stack([continuous_quaternions(turns[:, joint]) for joint in range(len(joints))], 1).numpy()
    translations, rotations = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr()
    animation.CreateBlendShapesAttr(list(model.expression_names))
    weights = animation.CreateBlendShapeWeightsAttr()
    for frame, code in enumerate(codes.tolist()):
        translations.Set(Vt.Vec3fArray.FromNumpy(places[frame]), code)
        rotations.Set(Vt.QuatfArray.FromNumpy(quaternions[frame]), code)
        weights.Set(Vt.FloatArray.FromNumpy(track.expression[frame].numpy()), code)
    return animation


def _write_mesh(usd: ModuleType, stage: Any, head: ShapedHead) -> Any:
    model, Vt, UsdGeom = head.model, usd.Vt, usd.UsdGeom
    mesh = UsdGeom.Mesh.Define(stage, _FACE)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(head.vertices.contiguous().numpy()))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(vertex_normals(head.vertices, model.faces).contiguous().numpy()))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray(len(model.faces), 3))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(model.faces.numpy().astype(np.int32).ravel()))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(mesh.GetPointsAttr().Get()))
    places = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("st", usd.Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.faceVarying)
    places.Set(Vt.Vec2fArray.FromNumpy(model.uv.contiguous().numpy()))
    places.SetIndices(Vt.IntArray.FromNumpy(model.uv_faces.numpy().astype(np.int32).ravel()))
    return mesh


def _write_skin(usd: ModuleType, binding: Any, model: HeadModel) -> None:
    """Every joint that holds a vertex counts: USD has no limit of four."""
    weights = model.skinning_weights.numpy()
    most = max(1, int((np.concatenate([1 - weights.sum(1, keepdims=True) > 1e-6, weights > 0], 1)).sum(1).max()))
    joints, shares = strongest_joints(weights, most)
    binding.CreateJointIndicesPrimvar(False, most).Set(usd.Vt.IntArray.FromNumpy(joints.astype(np.int32).ravel()))
    binding.CreateJointWeightsPrimvar(False, most).Set(usd.Vt.FloatArray.FromNumpy(np.ascontiguousarray(shares).ravel()))
    binding.CreateGeomBindTransformAttr(usd.Gf.Matrix4d(1))


def _write_shapes(usd: ModuleType, stage: Any, binding: Any, head: ShapedHead) -> None:
    rest, normals = head.vertices.numpy(), vertex_normals(head.vertices, head.model.faces).numpy()
    targets = []
    for name, (shift, turn) in zip(head.model.expression_names, morphs(head, rest, normals), strict=True):
        moved = np.flatnonzero((shift != 0).any(1) | (turn != 0).any(1))
        shape = usd.UsdSkel.BlendShape.Define(stage, f"{_FACE}/{usd.Tf.MakeValidIdentifier(name)}")
        shape.CreatePointIndicesAttr(usd.Vt.IntArray.FromNumpy(moved.astype(np.int32)))
        shape.CreateOffsetsAttr(usd.Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(shift[moved])))
        shape.CreateNormalOffsetsAttr(usd.Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(turn[moved])))
        targets.append(shape.GetPath())
    binding.CreateBlendShapesAttr(list(head.model.expression_names))
    binding.CreateBlendShapeTargetsRel().SetTargets(targets)


def _write_material(usd: ModuleType, stage: Any, mesh: Any, texture: Path | None) -> None:
    UsdShade, Types = usd.UsdShade, usd.Sdf.ValueTypeNames
    material = UsdShade.Material.Define(stage, "/Head/Skin")
    surface = UsdShade.Shader.Define(stage, "/Head/Skin/Surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", Types.Float).Set(_ROUGHNESS)
    surface.CreateInput("metallic", Types.Float).Set(0.0)
    color = surface.CreateInput("diffuseColor", Types.Color3f)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    if texture is None:
        color.Set(usd.Gf.Vec3f(*_PLAIN))
    else:
        reader = UsdShade.Shader.Define(stage, "/Head/Skin/Places")
        reader.CreateIdAttr("UsdPrimvarReader_float2")
        reader.CreateInput("varname", Types.String).Set("st")
        picture = UsdShade.Shader.Define(stage, "/Head/Skin/Albedo")
        picture.CreateIdAttr("UsdUVTexture")
        picture.CreateInput("file", Types.Asset).Set(usd.Sdf.AssetPath(texture.name))
        picture.CreateInput("sourceColorSpace", Types.Token).Set("sRGB")
        picture.CreateInput("st", Types.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
        color.ConnectToSource(picture.ConnectableAPI(), "rgb")
        reader.CreateOutput("result", Types.Float2)
        picture.CreateOutput("rgb", Types.Float3)
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)


def _write_camera(usd: ModuleType, stage: Any, track: Track, camera_idx: int) -> None:
    """Film and focal length in one unit; the principal point as the film's shift. A camera that moves has a pose for every frame."""
    camera = track.camera_at(0, camera_idx)
    height, width = camera.size
    (fx, fy), (cx, cy) = camera.focal_px.tolist(), camera.center_px.tolist()
    focal = fx * _APERTURE / width
    vertical = focal * height / fy
    lens = usd.UsdGeom.Camera.Define(stage, f"{_CAMERA}_{camera_idx}" if camera_idx else _CAMERA)
    lens.GetPrim().SetDisplayName(track.camera_names[camera_idx])
    lens.CreateFocalLengthAttr(focal)
    lens.CreateHorizontalApertureAttr(_APERTURE)
    lens.CreateVerticalApertureAttr(vertical)
    lens.CreateHorizontalApertureOffsetAttr((0.5 - cx / width) * _APERTURE)
    lens.CreateVerticalApertureOffsetAttr((cy / height - 0.5) * vertical)
    lens.CreateClippingRangeAttr(usd.Gf.Vec2f(0.01, 100))
    place = lens.AddTransformOp()
    moves = track.cameras[camera_idx].focal_px.ndim > 1
    for frame, code in enumerate(_codes(track).tolist() if moves else [usd.Usd.TimeCode.Default()]):
        world_from_lens = (track.camera_at(frame, camera_idx).camera_from_world.inverse() @ OPENGL_FROM_OPENCV.inverse()).matrix().double()
        place.Set(usd.Gf.Matrix4d(world_from_lens.T.contiguous().numpy()), code)


@dataclass(frozen=True)
class UsdHead:
    """What a file of `export_usd` says; vertices of a frame are worked out by UsdSkel itself."""

    path: Path
    vertices: Float[ndarray, "vertices 3"]
    """At rest."""
    faces: Int[ndarray, "faces 3"]
    uv: Float[ndarray, "uvs 2"]
    uv_faces: Int[ndarray, "faces 3"]
    expression_names: tuple[str, ...]
    expression: Float[ndarray, "frames expression"]
    joint_names: tuple[str, ...]
    """The root first."""
    time_s: Float[ndarray, "frames"]
    camera: Camera
    """In its first pose; its size is what was recorded only in its ratio: 1000 pixels wide."""
    texture: UInt8[ndarray, "height width 3"] | None

    def posed(self, frame: int) -> Float[ndarray, "vertices 3"]:
        """World positions of a frame: blend shapes, then skinning, as USD defines them."""
        usd = _package()
        stage = usd.Usd.Stage.Open(str(self.path))
        code, mesh = self.time_s[frame] * stage.GetTimeCodesPerSecond(), stage.GetPrimAtPath(_FACE)
        cache = usd.UsdSkel.Cache()
        cache.Populate(usd.UsdSkel.Root(stage.GetPrimAtPath("/Head")), usd.Usd.PrimDefaultPredicate)
        skeleton = cache.GetSkelQuery(usd.UsdSkel.Skeleton(stage.GetPrimAtPath(_SKELETON)))
        skin, shapes = cache.GetSkinningQuery(mesh), usd.UsdSkel.BlendShapeQuery(usd.UsdSkel.BindingAPI(mesh))
        points = usd.Vt.Vec3fArray(usd.UsdGeom.Mesh(mesh).GetPointsAttr().Get())
        weights = skeleton.GetAnimQuery().ComputeBlendShapeWeights(code)
        parts = shapes.ComputeSubShapeWeights(weights)
        shapes.ComputeDeformedPoints(*parts, shapes.ComputeBlendShapePointIndices(), shapes.ComputeSubShapePointOffsets(), points)
        skin.ComputeSkinnedPoints(skeleton.ComputeSkinningTransforms(code), points, code)
        return np.array(points)


def read_usd(path: Path) -> UsdHead:
    """Reads a rigged head back; raises `FormatError` for files that are none, `MissingExtraError` without usd-core."""
    usd = _package()
    if not path.is_file():
        raise InputError(f"expected the file {path}, found none")
    try:
        stage = usd.Usd.Stage.Open(str(path))
    except usd.Tf.ErrorException as error:
        raise FormatError(f"expected a USD file, found something that usd-core cannot open: {path}") from error
    face, skeleton, lens = (stage.GetPrimAtPath(place) for place in (_FACE, _SKELETON, _CAMERA))
    if not (face and skeleton and lens):
        raise FormatError(f"expected {_FACE}, {_SKELETON} and {_CAMERA}, as `--to usd` writes them, found others: {path}")
    mesh, animation = usd.UsdGeom.Mesh(face), usd.UsdSkel.Animation(stage.GetPrimAtPath(f"{_SKELETON}/Animation"))
    places = usd.UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st")
    weights = animation.GetBlendShapeWeightsAttr()
    codes = weights.GetTimeSamples()
    return UsdHead(
        path=path,
        vertices=np.array(mesh.GetPointsAttr().Get()),
        faces=np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3),
        uv=np.array(places.Get()),
        uv_faces=np.array(places.GetIndices()).reshape(-1, 3),
        expression_names=tuple(animation.GetBlendShapesAttr().Get()),
        expression=np.array([np.array(weights.Get(code)) for code in codes]),
        joint_names=tuple(joint.rsplit("/", 1)[-1] for joint in usd.UsdSkel.Skeleton(skeleton).GetJointsAttr().Get()),
        time_s=np.array(codes) / stage.GetTimeCodesPerSecond(),
        camera=_camera(usd, usd.UsdGeom.Camera(lens)),
        texture=_texture(path),
    )


def _camera(usd: ModuleType, lens: Any, width: int = 1000) -> Camera:
    focal, across, down, right, up = (
        float(attribute.Get())
        for attribute in (
            lens.GetFocalLengthAttr(),
            lens.GetHorizontalApertureAttr(),
            lens.GetVerticalApertureAttr(),
            lens.GetHorizontalApertureOffsetAttr(),
            lens.GetVerticalApertureOffsetAttr(),
        )
    )
    scale = width / across
    height = round(down * scale)
    center = torch.tensor([width / 2 - right * scale, height / 2 + up * scale])
    matrix = torch.from_numpy(
        np.array(usd.UsdGeom.Xformable(lens).ComputeLocalToWorldTransform(usd.Usd.TimeCode.EarliestTime())).T.astype(np.float32)
    )
    pose = (Transform.from_matrix(matrix) @ OPENGL_FROM_OPENCV).inverse()
    return Camera(torch.full((2,), focal * scale), center, (height, width), pose)


def _texture(path: Path) -> UInt8[ndarray, "height width 3"] | None:
    """The picture inside the package."""
    with zipfile.ZipFile(path) as package:
        name = next((name for name in package.namelist() if name.endswith(".png")), None)
        if name is None:
            return None
        with package.open(name) as stream:
            return np.asarray(Image.open(stream).convert("RGB"))
