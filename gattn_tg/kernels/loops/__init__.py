"""Attention on CPUs: one kernel forward, one backward, nothing of size n * m in memory."""
