"""Verbs for genomes, motifs and tables to train on: they ask no model, but for the motifs that one has learnt."""
