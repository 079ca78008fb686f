"""What motifs do to an answer, found by acting: motifs are put into sequences and taken out of them."""
