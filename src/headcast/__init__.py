"""3D head avatars from ordinary recordings."""

__version__ = "0.1.0"
