"""Encoders of other projects: DNABERT, Nucleotide Transformer, AgroNT and their like, read from their own files."""
