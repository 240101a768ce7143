"""Ours, PyTorch and onnxruntime side by side in one process: ``python -m bench.peers conv``."""
