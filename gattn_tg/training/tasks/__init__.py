"""What is learnt: one task per kind of model, and the data that a configuration names."""
