"""What a run leaves on disk: checkpoints, states, the journal of losses."""
