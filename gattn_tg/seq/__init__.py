"""Bases and places: the alphabet, text to ids and back, the other strand, one-hot, intervals, variants."""

from gattn_tg.seq.alphabet import A, C, G, N, T
from gattn_tg.seq.codec import decode, encode
from gattn_tg.seq.interval import Interval
from gattn_tg.seq.onehot import one_hot
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.seq.variant import Variant

__all__ = ["A", "C", "G", "Interval", "N", "T", "Variant", "decode", "encode", "one_hot", "reverse_complement"]
