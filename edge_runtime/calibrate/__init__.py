"""Calibration: a float network and sample images in, ranges of activations and a quantised network out."""

from edge_runtime.calibrate.calibration import METHODS, Calibrated, calibrate, quantised
from edge_runtime.calibrate.forms import tensorrt_form

__all__ = ["METHODS", "Calibrated", "calibrate", "quantised", "tensorrt_form"]
