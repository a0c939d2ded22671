"""Engines: what holds parameters, takes steps and returns logits."""

ENGINES = ("native", "reference")
"""The names by which an engine is chosen."""
