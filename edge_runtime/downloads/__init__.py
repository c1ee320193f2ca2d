"""Detectors of others that a user can fetch by name: `edge-zoo get yolox_nano`. `zoo/` holds what we make ourselves."""
