"""Kernels: attention and matrix products described over UOps, their schedules, and the machine under them."""
