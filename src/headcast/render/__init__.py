"""Rasterising, shading and drawing meshes."""

from headcast.render.arrays import Coverage, new_coverage, rasterize_arrays

__all__ = ["Coverage", "new_coverage", "rasterize_arrays"]
