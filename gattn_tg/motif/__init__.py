"""Motifs: what is known about short stretches of DNA, as one id per base and as hits for reports."""

from gattn_tg.motif.annotate import annotate
from gattn_tg.motif.at_rich import at_rich
from gattn_tg.motif.causal import causal_ids
from gattn_tg.motif.cpg import CpgIsland, cpg_sites
from gattn_tg.motif.from_matrices import long_enough, vocabulary_of
from gattn_tg.motif.grades import grades
from gattn_tg.motif.hits import Hit, hits
from gattn_tg.motif.islands import CpgCriteria, cpg_islands
from gattn_tg.motif.iupac import find_pattern
from gattn_tg.motif.kmers import kmer_codes
from gattn_tg.motif.motif_class import MotifClass
from gattn_tg.motif.pwm import find_matrix
from gattn_tg.motif.rules import AtRich, Consensus, CpgIslands, Matrix
from gattn_tg.motif.stream import AnnotatedPiece, Piece, annotate_group, annotate_piece, groups, pieces
from gattn_tg.motif.threshold import score_threshold
from gattn_tg.motif.vocabulary import MotifVocabulary

__all__ = [
    "AnnotatedPiece",
    "AtRich",
    "Consensus",
    "CpgCriteria",
    "CpgIsland",
    "CpgIslands",
    "Hit",
    "Matrix",
    "MotifClass",
    "MotifVocabulary",
    "Piece",
    "annotate",
    "annotate_group",
    "annotate_piece",
    "at_rich",
    "causal_ids",
    "cpg_islands",
    "cpg_sites",
    "find_matrix",
    "find_pattern",
    "grades",
    "groups",
    "hits",
    "kmer_codes",
    "long_enough",
    "pieces",
    "score_threshold",
    "vocabulary_of",
]
