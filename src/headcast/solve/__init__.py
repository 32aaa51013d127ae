"""Solvers that know nothing of heads: bounded, arrow-shaped and chained least squares."""

from headcast.solve.arrow import Arrow, solve_arrow
from headcast.solve.box import solve_box
from headcast.solve.chain import solve_chain
from headcast.solve.step import Step

__all__ = ["Arrow", "Step", "solve_arrow", "solve_box", "solve_chain"]
