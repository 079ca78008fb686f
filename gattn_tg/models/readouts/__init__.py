"""What the answers of a model mean: what a checkpoint says about its classes, tracks, sites or windows."""
