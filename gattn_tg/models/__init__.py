"""Whole networks, their configurations and their checkpoints."""
