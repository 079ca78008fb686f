"""TODO gattn_tg.kernels.loops."""
