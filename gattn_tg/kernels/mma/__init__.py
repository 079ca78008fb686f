"""TODO gattn_tg.kernels.mma."""
