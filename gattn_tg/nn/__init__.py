"""Layers: everything that owns a parameter."""
