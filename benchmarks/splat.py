"""Milliseconds to draw Gaussian splats and to differentiate the picture, beside plain PyTorch, in one run.

    python benchmarks/splat.py [--splats 20000] [--size 512] [--repeats 30] [--no-rivals]

Prints a Markdown table. The splats lie in a thin shell of a head's size that fills a third of the picture; a "blend" is one pixel inside one
splat's ellipse. The rival is the twin of the renderer run in float32 on tiles of 32², each with the splats that reach it. Processor time counts all
threads, and says more than the clock where other work runs on the machine.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

import headcast  # noqa: F401 (before torch: it tells waiting threads to sleep)

# isort: split
import numba
import numpy as np
import torch
from torch import Tensor

from headcast.geometry import Camera, matrix_from_quaternion
from headcast.render import Splats, splat, splat_reference

RIVAL_TILE = 32


@dataclass(frozen=True)
class Bench:
    splats: Splats
    camera: Camera
    gradient: Tensor
    """Of the colours, as a loss would give it."""

    @classmethod
    def of(cls, count: int, size: int, scale: float) -> "Bench":
        generator = torch.Generator().manual_seed(0)
        direction = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
        splats = Splats(
            means=direction * torch.tensor([0.09, 0.12, 0.10]) + torch.tensor([0.0, 0.0, -0.6]),
            rotations=matrix_from_quaternion(torch.randn(count, 4, generator=generator)),
            scales=scale * (0.3 + torch.rand(count, 3, generator=generator)),
            opacities=0.3 + 0.7 * torch.rand(count, generator=generator),
            colors=torch.rand(count, 3, generator=generator),
        )
        return cls(splats, Camera.looking_along_minus_z(1.6 * size, (size, size)), torch.randn(size, size, 3, generator=generator))

    def leaves(self) -> Splats:
        return Splats(*(getattr(self.splats, field.name).detach().requires_grad_() for field in fields(Splats)))

    def forward(self) -> None:
        with torch.no_grad():
            splat(self.splats, self.camera)

    def step(self) -> None:
        """The picture, and gradients to everything."""
        splat(self.leaves(), self.camera).color.backward(self.gradient)

    def rival_step(self, differentiate: bool = True) -> None:
        """The same in plain PyTorch, tile by tile."""
        splats = self.leaves()
        with torch.set_grad_enabled(differentiate):
            centers, covariances, opacities, depth = splat_reference.ellipses(splats, self.camera)
            reach = (2 * (opacities * 255).clamp_min(1).log()).sqrt()[:, None] * covariances.diagonal(dim1=-2, dim2=-1).sqrt()
            order = torch.argsort(depth, stable=True)
            low, high = (centers - reach).detach()[order], (centers + reach).detach()[order]
            for row in range(0, self.camera.size[0], RIVAL_TILE):
                for column in range(0, self.camera.size[1], RIVAL_TILE):
                    corner = torch.tensor([column, row])
                    own = order[((high > corner) & (low < corner + RIVAL_TILE)).all(-1)]
                    rows, columns = (torch.arange(RIVAL_TILE) + start + 0.5 for start in (row, column))
                    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(-1, 2)
                    color, _ = splat_reference.blend(centers[own], covariances[own], opacities[own], splats.colors[own], pixels)
                    if differentiate and len(own) > 0:
                        window = self.gradient[row : row + RIVAL_TILE, column : column + RIVAL_TILE]
                        color.backward(window.reshape(color.shape), retain_graph=True)

    def blends(self) -> int:
        """Pixels inside the splats' ellipses, those that lie hidden behind others included."""
        _, covariances, opacities, _ = splat_reference.ellipses(self.splats, self.camera)
        return int((np.pi * 2 * (opacities * 255).clamp_min(1).log() * torch.det(covariances).sqrt()).sum())


def measure(work: Callable[[], object], repeats: int) -> str:
    """Median and best wall time and median processor time (all threads) as table cells."""
    work()
    wall, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    return f"{np.median(wall) * 1e3:.1f} | {min(wall) * 1e3:.1f} | {np.median(cpu) * 1e3:.1f} | {min(cpu) * 1e3:.1f}"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splats", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--scale", type=float, default=0.0025, help="size of the splats, m")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--no-rivals", dest="rivals", action="store_false")
    arguments = parser.parse_args()
    torch.set_num_threads(numba.get_num_threads())
    bench = Bench.of(arguments.splats, arguments.size, arguments.scale)
    more = Bench.of(arguments.splats * 3 // 2, arguments.size, arguments.scale)
    rows: list[tuple[str, Callable[[], object], int]] = [
        ("forward", bench.forward, arguments.repeats),
        ("forward, half as many splats more", more.forward, arguments.repeats),
        ("forward + backward", bench.step, arguments.repeats),
    ]
    if arguments.rivals:
        rows.append(("plain PyTorch on tiles: forward", lambda: bench.rival_step(differentiate=False), 2))
        rows.append(("plain PyTorch on tiles: forward + backward", bench.rival_step, 1))
    threads, load, blends = numba.get_num_threads(), os.getloadavg()[0], [one.blends() / 1e6 for one in (bench, more)]
    print(f"{processor()}, {os.cpu_count()} cores, {threads} threads, load {load:.1f}; torch {torch.__version__}, numba {numba.__version__}")
    print(f"{date.today()}; {arguments.splats} splats, {arguments.size}², {blends[0]:.1f} M blends ({blends[1]:.1f} M with half as many more)")
    print("`python benchmarks/splat.py`\n")
    print("| what | median ms | best ms | processor ms | best |\n|---|---|---|---|---|")
    for name, work, repeats in rows:
        print(f"| {name} | {measure(work, repeats)} |", flush=True)


if __name__ == "__main__":
    main()
