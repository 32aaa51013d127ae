"""Milliseconds to rasterise, draw, shade and differentiate the open head, beside plain PyTorch and other packages, in one run.

    python benchmarks/render.py [--repeats 50] [--no-rivals]

Prints a Markdown table. Rivals: the float64 twin of the renderer run in float32 (vectorised PyTorch, no kernels), and rays through every
pixel with Embree (`pip install embreex`; left out where it is missing), which finds the faces but no barycentrics.
"""

import argparse
import importlib.util
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import headcast  # noqa: F401 (before torch: it tells waiting threads to sleep)

# isort: split
import numba
import numpy as np
import torch
import trimesh

from headcast.geometry import Camera, Mesh
from headcast.heads import open_head
from headcast.render import (
    ambient_light,
    antialias,
    draw_mesh,
    face_neighbours,
    image_positions,
    lit_texture,
    new_coverage,
    rasterize,
    rasterize_arrays,
    reference,
    render_head,
)


@dataclass(frozen=True)
class Bench:
    """The head from the front, filling a quarter of the picture as it does in a video call."""

    mesh: Mesh
    camera: Camera
    uv: torch.Tensor
    uv_faces: torch.Tensor
    texture: torch.Tensor
    light: torch.Tensor
    background: torch.Tensor
    gradient: torch.Tensor
    """Of colour and alpha, as a loss would give it."""
    neighbours: torch.Tensor

    @classmethod
    def of_size(cls, size: int) -> "Bench":
        head = open_head()
        mesh = head.shaped(torch.zeros(head.identity_count)).posed(head.neutral_pose())
        generator = torch.Generator().manual_seed(0)
        return cls(
            mesh=Mesh(mesh.vertices + torch.tensor([0.0, 0.02, -0.52]), mesh.faces.int()),
            camera=Camera.looking_along_minus_z(size * 1.55, (size, size)),
            uv=head.uv,
            uv_faces=head.uv_faces.int(),
            texture=torch.rand(512, 512, 3, generator=generator),
            light=ambient_light(mesh.vertices) + 0.1 * torch.randn(9, 3, generator=generator),
            background=torch.rand(size, size, 3, generator=generator),
            gradient=torch.randn(size, size, 4, generator=generator),
            neighbours=face_neighbours(mesh.faces),
        )

    def leaves(self) -> list[torch.Tensor]:
        return [x.detach().requires_grad_() for x in (self.mesh.vertices, self.texture, self.light)]

    def plain_step(self) -> None:
        """The bar: rasterise, look up, light (linear colour), background, outlines, and gradients to vertices, texture and light."""
        vertices, texture, light = self.leaves()
        mesh = Mesh(vertices, self.mesh.faces)
        seen = rasterize(mesh, self.camera)
        color = lit_texture(mesh, seen, texture, light, self.uv, self.uv_faces, self.background, srgb=False)
        picture = antialias(color, seen, self.neighbours)
        picture.backward(self.gradient)

    def full_step(self) -> None:
        """The same with mip levels and in sRGB."""
        vertices, texture, light = self.leaves()
        mesh = Mesh(vertices, self.mesh.faces)
        seen = render_head(mesh, self.camera, texture, light, self.uv, self.uv_faces, self.background, self.neighbours)
        torch.autograd.backward([seen.color, seen.alpha], [self.gradient[..., :3], self.gradient[..., 3]])

    def twin_step(self) -> None:
        """`plain_step` in plain PyTorch."""
        vertices, texture, light = self.leaves()
        faces = self.mesh.faces.long()
        positions = image_positions(vertices, self.camera)
        face, weights, depth = reference.rasterize(positions, faces, self.camera.size)
        uv = reference.interpolate(self.uv, self.uv_faces, face, weights)
        normals = reference.interpolate(reference.vertex_normals(vertices, faces), faces, face, weights, unit=True)
        albedo = reference.sample_texture(texture, uv, None, face)
        color = reference.surface_color(albedo, reference.shade(normals, light), face, self.background, srgb=False)
        blends = reference.edge_blends(positions, faces, self.neighbours, face, depth)
        picture = reference.blend_edges(color, blends)
        picture.backward(self.gradient)


def rays_through_pixels(bench: Bench) -> Callable[[], object]:
    """Casts one ray per pixel at the head with Embree."""
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    caster = RayMeshIntersector(trimesh.Trimesh(bench.mesh.vertices.numpy(), bench.mesh.faces.numpy(), process=False))
    height, width = bench.camera.size
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    inside = bench.camera.rays(torch.from_numpy(np.stack([columns, rows], -1).reshape(-1, 2)).float()).numpy()
    directions = inside * [1.0, -1.0, -1.0]
    origins = np.zeros_like(directions)
    return lambda: caster.intersects_first(origins, directions)


def measure(work: Callable[[], object], repeats: int) -> str:
    """Median and best wall time and median CPU time (all threads) as table cells."""
    work()
    wall, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    return f"{np.median(wall) * 1e3:.2f} | {min(wall) * 1e3:.2f} | {np.median(cpu) * 1e3:.2f}"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--no-rivals", dest="rivals", action="store_false")
    arguments = parser.parse_args()
    threads = numba.get_num_threads()
    torch.set_num_threads(threads)
    bench, small = Bench.of_size(512), Bench.of_size(256)
    vertices, faces = bench.mesh.vertices.numpy(), bench.mesh.faces.numpy()
    photograph = (bench.background * 255).byte().numpy()
    cover = new_coverage(512, 512)

    def raster_of(one: Bench) -> Callable[[], object]:
        positions, out = image_positions(one.mesh.vertices, one.camera).numpy(), new_coverage(*one.camera.size)
        return lambda: rasterize_arrays(positions, faces, *one.camera.size, out=out)

    rows: list[tuple[str, Callable[[], object], int]] = [
        ("rasterise, 512²", raster_of(bench), arguments.repeats),
        ("rasterise, 256²", raster_of(small), arguments.repeats),
        ("rasterise + texture + light + outlines + full backward, 512²", bench.plain_step, arguments.repeats),
        ("the same with mip levels and sRGB (`render_head`), 512²", bench.full_step, arguments.repeats),
        ("mesh over a photograph, 512²", lambda: draw_mesh(photograph, vertices, faces, bench.camera, cover=cover), arguments.repeats),
        (
            "mesh over a photograph, smooth outlines, 512²",
            lambda: draw_mesh(photograph, vertices, faces, bench.camera, neighbours=bench.neighbours.numpy(), cover=cover),
            arguments.repeats,
        ),
    ]
    if arguments.rivals:
        positions = image_positions(bench.mesh.vertices, bench.camera)
        rows.append(("plain PyTorch: rasterise, 512²", lambda: reference.rasterize(positions, bench.mesh.faces, (512, 512)), 5))
        rows.append(("plain PyTorch: rasterise + texture + light + outlines + full backward, 512²", bench.twin_step, 3))
        if importlib.util.find_spec("embreex"):
            rows.append(("Embree: first face along the ray of each pixel, 512²", rays_through_pixels(bench), 5))
    covered = int((rasterize(bench.mesh, bench.camera).face >= 0).sum())
    print(f"{processor()}, {os.cpu_count()} cores, {threads} threads; torch {torch.__version__}, numba {numba.__version__}")
    print(f"{date.today()}; open head: {len(vertices)} vertices, {len(faces)} faces, {covered} of 262144 pixels")
    print("`python benchmarks/render.py`\n")
    print("| what | median ms | best ms | CPU ms |\n|---|---|---|---|")
    for name, work, repeats in rows:
        print(f"| {name} | {measure(work, repeats)} |", flush=True)


if __name__ == "__main__":
    main()
