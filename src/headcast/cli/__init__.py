"""The command line: one file per verb."""

from headcast.cli.main import main

__all__ = ["main"]
