"""Attention on matrix units: warps, fragments, and the three kernels."""
