"""Datasets: which sequences, in which order, in which parts."""

from gattn_tg.data.batches import Batch, batches
from gattn_tg.data.bundled import bundled, splice_junctions
from gattn_tg.data.labelled import LabelledSequences, encode_labelled
from gattn_tg.data.split import split

__all__ = ["Batch", "LabelledSequences", "batches", "bundled", "encode_labelled", "splice_junctions", "split"]
