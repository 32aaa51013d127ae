"""Textures whose texels are linear functions of a few features, solved from pixels: normal equations per texel, gathered in one pass over the frames.

A pixel is the bilinear mean of four texels. Each of them gets the pixel's equation with its share as weight, so that different texels' equations
are independent; repeating the pass with what is still wrong makes up for that (simultaneous reconstruction, Gilbert 1972).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from headcast.compiled import compiled
from headcast.threads import in_parts

CHANNELS = 4
"""Red, green and blue times opacity, and opacity."""


@compiled("f4[:,::1], i4[:,::1], i4[:,::1], f4[:,:,::1], i8, i8, i4[:,:,::1], f4[:,:,::1]", fastmath=True)
def find_taps(uv, uv_faces, face, weights, height, width, taps, shares):
    """Of every pixel that shows a face, the four texels between which it lies and their shares; −1 as the first elsewhere."""
    for row in range(face.shape[0]):
        for column in range(face.shape[1]):
            f = face[row, column]
            if f < 0:
                taps[row, column, 0] = -1
                continue
            u, v = np.float32(0), np.float32(0)
            for corner in range(3):
                u += weights[row, column, corner] * uv[uv_faces[f, corner], 0]
                v += weights[row, column, corner] * uv[uv_faces[f, corner], 1]
            # The first row of a texture is at v = 1; texel centres lie at halves.
            x = min(max(u * width - np.float32(0.5), np.float32(0)), np.float32(width - 1.001))
            y = min(max((1 - v) * height - np.float32(0.5), np.float32(0)), np.float32(height - 1.001))
            i, j = int(y), int(x)
            down, right = y - i, x - j
            first = i * width + j
            taps[row, column, 0], taps[row, column, 1] = first, first + 1
            taps[row, column, 2], taps[row, column, 3] = first + width, first + width + 1
            shares[row, column, 0], shares[row, column, 1] = (1 - down) * (1 - right), (1 - down) * right
            shares[row, column, 2], shares[row, column, 3] = down * (1 - right), down * right


@compiled("i4[:,:,::1], f4[:,:,::1], f4[:,:,::1], f4[:,::1], f4[::1], f4[:,::1], f4[:,:,::1]", fastmath=True)
def add_equations(taps, shares, wanted, weight, features, gram, right):
    """Adds a picture's equations; the matrices only where `gram` has room for them."""
    count = len(features)
    with_matrix = gram.shape[0] > 0
    products = np.empty(count * (count + 1) // 2, np.float32)
    k = 0
    for a in range(count):
        for b in range(a + 1):
            products[k] = features[a] * features[b]
            k += 1
    for row in range(taps.shape[0]):
        for column in range(taps.shape[1]):
            trust = weight[row, column]
            if taps[row, column, 0] < 0 or trust == 0:
                continue
            for tap in range(4):
                texel, share = taps[row, column, tap], trust * shares[row, column, tap]
                if with_matrix:
                    for k in range(len(products)):
                        gram[texel, k] += share * products[k]
                for a in range(count):
                    scaled = share * features[a]
                    for c in range(CHANNELS):
                        right[texel, a, c] += scaled * wanted[row, column, c]


@compiled("i8, i8, f4[:,::1], f4[:,:,::1], f4[:,:,::1], f4[::1], f4[:,:,::1]", fastmath=True)
def _solve(first, last, gram, right, now, ridge, out):
    """Adds to `out` the step that solves each texel's equations, whose right sides are residuals at `now`."""
    count = right.shape[1]
    matrix, line = np.empty((count, count), np.float32), np.empty(count, np.float32)
    for texel in range(first, last):
        k = 0
        for a in range(count):
            for b in range(a + 1):
                matrix[a, b] = gram[texel, k]
                k += 1
            matrix[a, a] += ridge[a]
        for a in range(count):
            for b in range(a + 1):
                value = matrix[a, b]
                for c in range(b):
                    value -= matrix[a, c] * matrix[b, c]
                matrix[a, b] = np.sqrt(max(value, np.float32(1e-12))) if a == b else value / matrix[b, b]
        for channel in range(CHANNELS):
            for a in range(count):
                value = right[texel, a, channel] - ridge[a] * now[texel, a, channel]
                for b in range(a):
                    value -= matrix[a, b] * line[b]
                line[a] = value / matrix[a, a]
            for back in range(count):
                a = count - 1 - back
                value = line[a]
                for b in range(a + 1, count):
                    value -= matrix[b, a] * line[b]
                line[a] = value / matrix[a, a]
                out[texel, a, channel] += line[a]


@dataclass(frozen=True)
class Equations:
    """The normal equations of all texels of one texture."""

    gram: Float32[ndarray, "texels products"]
    """Lower triangles of the products of features."""
    right: Float32[ndarray, "texels features 4"]

    @classmethod
    def zeros(cls, texels: int, features: int, with_matrix: bool = True) -> "Equations":
        return cls(
            np.zeros((texels if with_matrix else 0, features * (features + 1) // 2), np.float32), np.zeros((texels, features, CHANNELS), np.float32)
        )

    @property
    def weight(self) -> Float32[ndarray, "texels"]:
        """How often each texel was seen, in pixels."""
        return self.gram[:, 0]

    def step(
        self, matrix_of: "Equations", now: Float32[ndarray, "texels features 4"], ridge: Float32[ndarray, "features"]
    ) -> Float32[ndarray, "texels features 4"]:
        """The texture after the step; right sides here, matrices there. `ridge` pulls every feature's part towards zero."""
        out = now.copy()
        in_parts(_solve, len(now), matrix_of.gram, self.right, now, ridge, out, grain=500)
        return out
