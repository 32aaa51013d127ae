"""A finished run in the browser: head, camera with the recording's picture, and a timeline."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray

from headcast.errors import MissingExtraError
from headcast.geometry import nearest_rotation, quaternion_from_matrix, vertex_normals
from headcast.track.run import Run
from headcast.viewer.pictures import FramePictures

if TYPE_CHECKING:
    import trimesh
    import viser

_CLAY = (205, 190, 180)
_LANDMARK = (70, 230, 130)
_LIVELIEST = 6


@dataclass(frozen=True)
class _Controls:
    """What the person in front of the browser can set."""

    frame: "viser.GuiSliderHandle"
    playing: "viser.GuiCheckboxHandle"
    speed: "viser.GuiSliderHandle"
    texture: "viser.GuiCheckboxHandle"
    wireframe: "viser.GuiCheckboxHandle"
    landmarks: "viser.GuiCheckboxHandle"
    camera: "viser.GuiCheckboxHandle"
    said: "viser.GuiMarkdownHandle"
    picture: "viser.GuiImageHandle | None"
    """The recording's frame; None where the recording is gone."""


class RunView:
    """Serves a run; nothing of the run is changed. Stop it with `close`."""

    def __init__(self, run: Run, host: str, port: int):
        try:
            import viser
        except ImportError as error:
            raise MissingExtraError("headcast view", "viser", "view") from error
        self._run = run
        self._head = run.track.head(run.model)
        there = run.recorded and run.capture.source_path.exists()
        self._pictures = FramePictures(run.capture) if there else None
        self.server = viser.ViserServer(host=host, port=port, label=f"headcast {run.paths.root.name}", verbose=False)
        self.server.scene.set_up_direction(self._in_world(np.array([0.0, 1.0, 0.0])))
        self._controls = self._add_controls("" if there or not run.recorded else f"The recording is gone: {run.capture.source_path}")
        vertices = self._vertices(0)
        self._mesh = self.server.scene.add_mesh_simple("/head", vertices, run.model.faces.numpy(), color=_CLAY)
        self._landmarks = self.server.scene.add_point_cloud("/landmarks", np.zeros((1, 3), np.float32), _LANDMARK, point_size=0.0012)
        self._frusta = [self._add_camera(camera_idx) for camera_idx in range(len(run.track.cameras))]
        self._textured: viser.GlbHandle | None = None
        self._look_from_the_camera(vertices)
        self.show(0)

    @property
    def url(self) -> str:
        return f"http://{self.server.get_host()}:{self.server.get_port()}"

    def show(self, frame_idx: int) -> None:
        """Puts a frame on the screen."""
        run, controls = self._run, self._controls
        vertices = self._vertices(frame_idx)
        textured = controls.texture.value and run.albedo_picture is not None
        with self.server.atomic():
            self._mesh.vertices = vertices
            self._mesh.wireframe = controls.wireframe.value
            self._mesh.visible = not textured
            if textured:
                self._textured = self.server.scene.add_mesh_trimesh("/textured", self._textured_mesh(vertices))
            elif self._textured is not None:
                self._textured.visible = False
            self._landmarks.visible = controls.landmarks.value
            if controls.landmarks.value:
                self._landmarks.points = run.track.landmarks(run.model, frame_idx).numpy()
            for camera_idx, frustum in enumerate(self._frusta):
                frustum.visible = controls.camera.value
                frustum.wxyz, frustum.position = self._camera_pose(frame_idx, camera_idx)
            picture = self._pictures[frame_idx] if self._pictures is not None else None
            if picture is not None:
                self._frusta[0].image = controls.picture.image = picture
            controls.said.content = self._words(frame_idx)

    def serve(self) -> None:
        """Plays and answers until the process is interrupted."""
        times = self._run.track.time_s.numpy()
        last = time.perf_counter()
        while True:
            time.sleep(1 / 60)
            now = time.perf_counter()
            if self._controls.playing.value and len(times) > 1:
                idx = int(self._controls.frame.value)
                if (now - last) * self._controls.speed.value >= times[min(idx + 1, len(times) - 1)] - times[idx]:
                    last = now
                    self._controls.frame.value = (idx + 1) % len(times)
            else:
                last = now

    def close(self) -> None:
        self.server.stop()

    def _vertices(self, frame_idx: int) -> Float32[ndarray, "vertices 3"]:
        return self._head.posed(self._run.track.pose(frame_idx)).vertices.numpy()

    def _textured_mesh(self, vertices: Float32[ndarray, "vertices 3"]) -> "trimesh.Trimesh":
        """The head with its albedo: a vertex for each place in the atlas."""
        import trimesh
        from PIL import Image

        model = self._run.model
        place = np.zeros(len(model.uv), np.int64)
        place[model.uv_faces.numpy().ravel()] = model.faces.numpy().ravel()
        material = trimesh.visual.material.PBRMaterial(
            baseColorTexture=Image.fromarray(self._run.albedo_picture), metallicFactor=0.0, roughnessFactor=0.9
        )
        visual = trimesh.visual.TextureVisuals(uv=model.uv.numpy(), material=material)
        normals = vertex_normals(torch.from_numpy(vertices), model.faces).numpy()
        return trimesh.Trimesh(vertices[place], model.uv_faces.numpy(), vertex_normals=normals[place], visual=visual, process=False)

    def _add_controls(self, note: str) -> _Controls:
        gui, track = self.server.gui, self._run.track
        controls = _Controls(
            frame=gui.add_slider("frame", 0, max(track.frame_count - 1, 1), 1, 0),
            playing=gui.add_checkbox("play", False),
            speed=gui.add_slider("speed", 0.1, 2.0, 0.1, 1.0),
            texture=gui.add_checkbox("texture", False, disabled=self._run.albedo_picture is None),
            wireframe=gui.add_checkbox("wireframe", False),
            landmarks=gui.add_checkbox("landmarks", False),
            camera=gui.add_checkbox("camera", True),
            said=gui.add_markdown(""),
            picture=None if self._pictures is None else gui.add_image(np.zeros((2, 2, 3), np.uint8), format="jpeg"),
        )
        if note:
            gui.add_markdown(note)
        for handle in (controls.frame, controls.texture, controls.wireframe, controls.landmarks, controls.camera):
            handle.on_update(lambda _: self.show(min(int(controls.frame.value), track.frame_count - 1)))
        return controls

    def _camera_pose(self, frame_idx: int, camera_idx: int) -> tuple[Float32[ndarray, "4"], Float32[ndarray, "3"]]:
        """World from camera: quaternion (w, x, y, z) and place (m)."""
        pose = self._run.track.camera_at(frame_idx, camera_idx).camera_from_world.inverse()
        return quaternion_from_matrix(pose.rotation).numpy(), pose.translation.numpy()

    def _in_world(self, direction: Float64[ndarray, "3"]) -> Float64[ndarray, "3"]:
        """A direction for someone who faces +Z with +Y up: the world's where one camera made it, the head's where a rig brought its own."""
        if not self._run.track.has_rig:
            return direction
        facing = nearest_rotation(self._run.track.world_from_head.rotation.double().mean(0))
        return facing.numpy() @ direction

    def _add_camera(self, camera_idx: int) -> "viser.CameraFrustumHandle":
        camera = self._run.track.camera_at(0, camera_idx)
        height, width = camera.size
        wxyz, position = self._camera_pose(0, camera_idx)
        return self.server.scene.add_camera_frustum(
            f"/cameras/{camera_idx}",
            fov=2 * float(np.arctan(height / 2 / float(camera.focal_px[1]))),
            aspect=width / height,
            scale=0.05,
            thickness=0.001,
            color=(90, 100, 120),
            wxyz=wxyz,
            position=position,
        )

    def _look_from_the_camera(self, vertices: Float32[ndarray, "vertices 3"]) -> None:
        """New visitors see the head from beside the recording camera."""
        middle = vertices.mean(0)
        self.server.initial_camera.position = middle + self._in_world(np.array([0.22, 0.06, 0.42]))
        self.server.initial_camera.look_at = middle

    def _words(self, frame_idx: int) -> str:
        track = self._run.track
        lines = [f"**{float(track.time_s[frame_idx]):.2f} s**"]
        if not self._run.recorded:
            lines = ["**static head**"]
        elif bool(track.valid[frame_idx]):
            share = float(track.landmark_error_px[frame_idx] / track.interocular_px[frame_idx].clamp_min(1e-6))
            lines.append(f"landmark error {100 * share:.2f} % of the eye distance")
        else:
            lines.append("no face seen: filled from its neighbours")
        values = track.expression[frame_idx]
        for k in values.abs().argsort(descending=True)[:_LIVELIEST].tolist():
            lines.append(f"`{track.expression_names[k]}` {float(values[k]):.2f}")
        return "  \n".join(lines)
