"""Expressions of one head model as those of another."""

from headcast.expressions.arkit_names import ARKIT_NAMES, has_arkit_expressions
from headcast.expressions.conversion import Conversion, ExpressionError, convert_expressions, pose_from_curves
from headcast.expressions.correspondence import Correspondence, correspond
from headcast.expressions.report import report_page, report_row, report_values, worst_first, write_report
from headcast.expressions.solver import SolverConfig

__all__ = [
    "ARKIT_NAMES",
    "Conversion",
    "Correspondence",
    "ExpressionError",
    "SolverConfig",
    "convert_expressions",
    "correspond",
    "has_arkit_expressions",
    "pose_from_curves",
    "report_page",
    "report_row",
    "report_values",
    "worst_first",
    "write_report",
]
