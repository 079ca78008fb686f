"""Verbs about computers: what this one has, how fast it is, the kernels kept on it; and models for other ones."""
