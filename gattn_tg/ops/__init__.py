"""Tensor mathematics without parameters: attention, motif bias, rotary positions, linear maps."""
