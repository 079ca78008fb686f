"""TODO gattn_tg.train.tasks."""
