"""Learning: configuration, schedule, steps, checkpoints, metrics."""
