"""Which machine works on a tensor: the one it lies on."""

import importlib
from types import ModuleType

import numpy as np
import torch

from headcast.errors import InputError, MissingExtraError


def machine_of(tensor: torch.Tensor) -> ModuleType:
    """The module of operations for a tensor's device."""
    if tensor.device.type == "cpu":
        return importlib.import_module("headcast.render.kernels.cpu")
    if tensor.device.type == "cuda":
        try:
            return importlib.import_module("headcast.render.kernels.cuda")
        except ImportError as error:
            raise MissingExtraError("rendering on an NVIDIA GPU", "numba-cuda", "cuda") from error
    raise InputError(f"rendering works on cpu and cuda tensors; found one on {tensor.device.type!r}. Move the tensors first: tensor.to('cpu')")


def arrays(*tensors: torch.Tensor) -> list:
    """The tensors' memory as NumPy arrays or CUDA arrays, contiguous; integers as int32."""
    return [_array(tensor.detach()) for tensor in tensors]


def _array(tensor: torch.Tensor) -> np.ndarray:
    if tensor.is_floating_point() and tensor.dtype != torch.float32:
        raise InputError(f"rendering works in float32; found {tensor.dtype}. Convert with .float(), or use headcast.render.reference for float64")
    if tensor.dtype == torch.int64:
        tensor = tensor.to(torch.int32)
    tensor = tensor.contiguous()
    if tensor.is_cuda:
        from numba import cuda  # only where there is a GPU

        return cuda.as_cuda_array(tensor)
    return tensor.numpy()
