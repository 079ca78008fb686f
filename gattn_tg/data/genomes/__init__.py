"""TODO gattn_tg.data.genomes."""
