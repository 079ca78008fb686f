"""Genomes as data sets: encoded on disk or in memory, cut into windows; and the data that travels with the package."""
