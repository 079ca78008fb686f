"""TODO gattn_tg.metrics."""
