"""Calibration: finds the ranges of activations of a float network on sample images, and makes a quantised network."""

from edge_runtime.calibrate.calibration import METHODS, Calibrated, calibrate, int8_already, quantised
from edge_runtime.calibrate.forms import tensorrt_form

__all__ = ["METHODS", "Calibrated", "calibrate", "int8_already", "quantised", "tensorrt_form"]
