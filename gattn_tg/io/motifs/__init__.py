"""Motif matrices: the files of MEME, JASPAR, HOMER and HOCOMOCO, and the releases of JASPAR by name."""
