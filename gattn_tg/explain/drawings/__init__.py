"""TODO gattn_tg.explain.drawings."""
