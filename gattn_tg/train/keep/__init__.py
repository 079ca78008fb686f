"""TODO gattn_tg.train.keep."""
