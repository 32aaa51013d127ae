"""Compiles the plain Python functions of this folder for an NVIDIA GPU, or for Numba's CUDA simulator, and launches them."""

from collections.abc import Callable
from functools import cache
from types import FunctionType

import torch
from numba import cuda

from headcast.render.kernels.accumulate import accumulate
from headcast.render.kernels.targets import linked

THREADS = 64


def _accumulate_atomically(array, row, column, value):
    cuda.atomic.add(array, (row, column), value)


@cache
def cuda_body(function: FunctionType) -> Callable:
    """A body compiled for the GPU; `accumulate` becomes an atomic addition."""
    return cuda.jit(device=True)(_accumulate_atomically if function is accumulate else linked(function, cuda_body))


def cuda_kernel(function: FunctionType) -> Callable:
    """A function of (number of items, arrays…) that runs a body for one item per thread."""
    kernel = cuda.jit(linked(function, cuda_body))

    def launch(count: int, *arguments) -> None:
        if count > 0:
            kernel[-(-count // THREADS), THREADS, _stream()](*arguments)

    launch.kernel = kernel
    return launch


def _stream():
    if not torch.cuda.is_available():  # the simulator
        return 0
    return cuda.external_stream(torch.cuda.current_stream().cuda_stream)
