"""Answers to why: the centred motif table and the page that shows a run."""
