"""Avatars that are a textured mesh: static shape, a texture that follows expression and pose, a soft fringe around the outline."""
