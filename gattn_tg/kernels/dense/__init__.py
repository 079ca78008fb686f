"""TODO gattn_tg.kernels.dense."""
