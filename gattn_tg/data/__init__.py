"""Datasets: which sequences, in which order, in which parts."""

from gattn_tg.data.batches import Batch, batches
from gattn_tg.data.dataset import Dataset, prefetched_steps, steps
from gattn_tg.data.dinucleotides import dinucleotide_shuffle
from gattn_tg.data.folds import read_folds, split_by_contig, split_by_folds
from gattn_tg.data.genomes.bundled import bundled, splice_junctions
from gattn_tg.data.genomes.encoded import EncodedGenome, EncodedPart, write_encoded
from gattn_tg.data.genomes.tiles import GenomeDataset, tiles
from gattn_tg.data.labelled import LabelledSequences, encode_labelled
from gattn_tg.data.negatives import gc_fraction, gc_matched
from gattn_tg.data.pieces import TrackPieces
from gattn_tg.data.prefetch import Prefetched
from gattn_tg.data.sampler import Sampler
from gattn_tg.data.sequences import SequenceDataset, encode_loci
from gattn_tg.data.split import split
from gattn_tg.data.tracks import ArrayTargets, BigWigTargets, TrackBatch
from gattn_tg.data.workers import in_order

__all__ = [
    "ArrayTargets",
    "Batch",
    "BigWigTargets",
    "Dataset",
    "EncodedGenome",
    "EncodedPart",
    "GenomeDataset",
    "LabelledSequences",
    "Prefetched",
    "Sampler",
    "SequenceDataset",
    "TrackBatch",
    "TrackPieces",
    "batches",
    "bundled",
    "dinucleotide_shuffle",
    "encode_labelled",
    "encode_loci",
    "gc_fraction",
    "gc_matched",
    "in_order",
    "prefetched_steps",
    "read_folds",
    "splice_junctions",
    "split",
    "split_by_contig",
    "split_by_folds",
    "steps",
    "tiles",
    "write_encoded",
]
