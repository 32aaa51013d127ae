"""Looks at finished runs in the browser."""

from headcast.viewer.run_view import RunView

__all__ = ["RunView"]
