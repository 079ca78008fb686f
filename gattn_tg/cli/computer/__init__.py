"""Verbs about this computer: what it has, how fast it is, and the kernels that are kept on it."""
