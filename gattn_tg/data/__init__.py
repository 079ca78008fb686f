"""Datasets: which sequences, in which order, in which parts."""

from gattn_tg.data.batches import Batch, batches
from gattn_tg.data.dinucleotides import dinucleotide_shuffle
from gattn_tg.data.folds import parts_by_contig, parts_by_fold, read_folds
from gattn_tg.data.genomes.bundled import bundled, splice_junctions
from gattn_tg.data.genomes.encoded import EncodedGenome, EncodedPart, write_encoded
from gattn_tg.data.labelled import LabelledSequences, encode_labelled
from gattn_tg.data.negatives import gc_matched
from gattn_tg.data.pieces import TrackPieces
from gattn_tg.data.prefetch import Prefetched
from gattn_tg.data.sampler import Sampler
from gattn_tg.data.split import split
from gattn_tg.data.tracks import ArrayTargets, BigWigTargets, TrackBatch
from gattn_tg.data.workers import in_order

__all__ = [
    "ArrayTargets",
    "Batch",
    "BigWigTargets",
    "EncodedGenome",
    "EncodedPart",
    "LabelledSequences",
    "Prefetched",
    "Sampler",
    "TrackBatch",
    "TrackPieces",
    "batches",
    "bundled",
    "dinucleotide_shuffle",
    "encode_labelled",
    "gc_matched",
    "in_order",
    "parts_by_contig",
    "parts_by_fold",
    "read_folds",
    "splice_junctions",
    "split",
    "write_encoded",
]
