"""Answers to why: attention per motif, the centred motif table, and the page that shows a run."""

from gattn_tg.explain.mass import motif_mass

__all__ = ["motif_mass"]
