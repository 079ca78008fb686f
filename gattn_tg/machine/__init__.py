"""TODO gattn_tg.machine."""
