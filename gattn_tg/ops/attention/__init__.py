"""TODO gattn_tg.ops.attention."""
