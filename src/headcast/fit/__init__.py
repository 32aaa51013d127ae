"""A head model laid onto a static head: scan, cloud, Gaussians, posed pictures, depth map."""

from headcast.fit.config import FitConfig
from headcast.fit.run import FitRequest, FitResult, fit_head, fit_steps
from headcast.fit.scan import Samples, Scan

__all__ = ["FitConfig", "FitRequest", "FitResult", "Samples", "Scan", "fit_head", "fit_steps"]
