"""Engines: what holds parameters, takes steps and returns logits."""

ENGINES = ("native", "torch", "reference")
"""The names by which an engine is chosen."""
DEVICES = ("cpu", "cuda", "mps")
"""The devices of the torch engine, by PyTorch's names."""
