"""Sparse sites along a genome, as CpGs: what was measured at them, what surrounds them, rows of neighbours."""
