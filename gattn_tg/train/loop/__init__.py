"""TODO gattn_tg.train.loop."""
