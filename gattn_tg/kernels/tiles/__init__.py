"""TODO gattn_tg.kernels.tiles."""
