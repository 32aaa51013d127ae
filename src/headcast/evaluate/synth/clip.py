"""A synthetic clip: everything about it drawn from a seed, its frames one by one, and its truth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from headcast.errors import InputError
from headcast.evaluate.synth.config import SynthConfig
from headcast.evaluate.synth.drawing import draw_head, fitted_albedo
from headcast.evaluate.synth.look import Look, random_look
from headcast.evaluate.synth.motion import synthetic_pose
from headcast.evaluate.synth.occluders import OccluderMotion, draw_capsules, random_occluders
from headcast.evaluate.synth.scene import around, random_background, random_camera, random_light
from headcast.evaluate.synth.sensor import Sensor
from headcast.evaluate.synth.skin import paint_albedo
from headcast.evaluate.synth.swelling import swelling
from headcast.evaluate.truth import Truth, skull_and_gaze
from headcast.geometry import Camera
from headcast.heads import HeadModel, HeadPose


@dataclass(frozen=True)
class SyntheticClip:
    """All there is to know about a clip before it is drawn."""

    model: HeadModel
    config: SynthConfig
    identity: Float[torch.Tensor, "identity"]
    pose: HeadPose
    cameras: tuple[Camera, ...]
    """The first looks along −Z from the world's origin."""
    light: Float[torch.Tensor, "9 3"]
    look: Look
    albedo: Float[np.ndarray, "texture texture 3"]
    """Linear."""
    background: Float[np.ndarray, "height width 3"]
    occluders: OccluderMotion

    @property
    def camera(self) -> Camera:
        """The first."""
        return self.cameras[0]


@dataclass(frozen=True)
class SyntheticFrame:
    """One drawn frame and what only the drawing knows."""

    image: UInt8[np.ndarray, "height width 3"]
    vertices: Float[np.ndarray, "vertices 3"]
    visible: Bool[np.ndarray, "vertices"]


def synthetic_clip(model: HeadModel, config: SynthConfig) -> SyntheticClip:
    """Draws person, motion, camera, light and surroundings from the seed, each from its own stream: changing one setting keeps the rest.

    Raises:
        InputError: the model has no landmarks; load it with `load_model_for_tracking`.
    """
    if "mediapipe_478" not in model.landmarks:
        raise InputError(f"expected a head model with landmarks 'mediapipe_478', found {sorted(model.landmarks)}; use load_model_for_tracking")
    person, motion, surroundings, texture, obstacles = (np.random.default_rng([config.seed, stream]) for stream in range(5))
    identity = torch.from_numpy(person.standard_normal(model.identity_count) * config.identity_scale).float()
    look = random_look(person)
    camera, distance_m = random_camera(config.size, config.fill, surroundings)
    pose = synthetic_pose(model, config.frames, config.fps, distance_m, config.motion, motion)
    pose = replace(pose, moving_offsets=swelling(model, identity, config))
    light = random_light(config.light, surroundings)
    background = random_background(config.background, config.size, surroundings)
    first = model.shaped(identity).posed(_at(pose, 0)).vertices
    return SyntheticClip(
        model=model,
        config=config,
        identity=identity,
        pose=pose,
        cameras=around(camera, config.cameras, config.arc_deg, distance_m),
        light=light,
        look=look,
        albedo=paint_albedo(model, look, config.texture_px, texture),
        background=background,
        occluders=random_occluders(config.occluders, config.frames, _marks_px(model, first, camera), look.skin, obstacles),
    )


def draw_frames(clip: SyntheticClip, camera_idx: int = 0) -> Iterator[SyntheticFrame]:
    """The frames in order, as one of the cameras records them."""
    config, model, camera = clip.config, clip.model, clip.cameras[camera_idx]
    shaped = model.shaped(clip.identity)
    albedo = fitted_albedo(model, shaped.posed(_at(clip.pose, 0)).vertices, camera, clip.albedo, config.supersampling)
    noise = np.random.default_rng([config.seed, 5] if camera_idx == 0 else [config.seed, 5, camera_idx])
    sensor = Sensor.random(config.size, config.blur_px, config.noise, noise)
    for idx in range(config.frames):
        vertices = shaped.posed(_at(clip.pose, idx)).vertices
        drawing = draw_head(model, vertices, camera, albedo, clip.light, config.supersampling)
        image, visible = drawing.over(clip.background), drawing.visible
        for capsules in clip.occluders.at(idx, _marks_px(model, vertices, camera)):
            covered = draw_capsules(image, capsules, config.seed)
            if capsules.hides:
                visible = visible & ~_covered(covered, vertices, camera)
        yield SyntheticFrame(sensor.expose(image, noise), vertices.numpy(), visible)


def truth_of(clip: SyntheticClip, frames: list[SyntheticFrame]) -> Truth:
    """What is known of the clip; the frames' images are not needed and may be empty."""
    model, pose = clip.model, clip.pose
    vertices = np.stack([frame.vertices for frame in frames])
    visible = np.stack([frame.visible for frame in frames])
    landmarks = model.landmarks["mediapipe_478"]
    skull, gaze = skull_and_gaze(model, clip.identity, pose)
    return Truth(
        model_name=model.name,
        vertices=vertices,
        faces=model.faces.numpy(),
        uv=model.uv.numpy(),
        uv_faces=model.uv_faces.numpy(),
        landmarks=landmarks.points(torch.from_numpy(vertices), model.faces).numpy(),
        landmarks_visible=visible[:, model.faces.numpy()[landmarks.faces.numpy()]].all(-1),
        camera=clip.camera,
        time_s=np.arange(clip.config.frames) / clip.config.fps,
        identity=clip.identity.numpy(),
        expression=pose.expression.numpy(),
        expression_names=model.expression_names,
        joint_rotations=pose.joint_rotations.numpy(),
        joint_names=model.joint_names,
        world_from_head=pose.world_from_head,
        world_from_skull=skull,
        gaze=gaze.numpy(),
        visible=visible,
        face_region=_face_region(model),
        light=clip.light.numpy(),
    )


def _face_region(model: HeadModel) -> Bool[np.ndarray, "vertices"]:
    """The skin of the face: what "visible face vertices" are counted among."""
    other = np.logical_or.reduce([model.regions[name].numpy() for name in ("eyeballs", "mouth_interior", "teeth", "tongue")])
    return model.regions["face"].numpy() & ~other


def _at(pose: HeadPose, frame: int) -> HeadPose:
    swollen = None if pose.moving_offsets is None else replace(pose.moving_offsets, weights=pose.moving_offsets.weights[frame])
    return HeadPose(pose.expression[frame], pose.joint_rotations[frame], pose.world_from_head[frame], swollen)


def _marks_px(model: HeadModel, vertices: Float[torch.Tensor, "vertices 3"], camera: Camera) -> Float[np.ndarray, "68 2"]:
    return camera.project(model.landmarks["ibug_68"].points(vertices, model.faces)).double().numpy()


def _covered(amount: Float[np.ndarray, "height width"], vertices: torch.Tensor, camera: Camera) -> Bool[np.ndarray, "vertices"]:
    """Vertices at pixels that are more than half covered."""
    column, row = np.floor(camera.project(vertices).numpy()).astype(int).T
    height, width = amount.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    result = np.zeros(len(vertices), bool)
    result[inside] = amount[row[inside], column[inside]] > 0.5
    return result
