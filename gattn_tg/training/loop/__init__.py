"""The training loop: steps, schedule, what a run tells, processes that train together."""
