"""NVIDIA GPUs: CUDA, TensorRT, and the buffers of an engine that runs on them."""
