"""TODO gattn_tg.kernels.simt."""
