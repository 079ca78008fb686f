"""Bases as numbers: the alphabet, text to ids and back, the other strand, one-hot."""

from gattn_tg.seq.alphabet import A, C, G, N, T
from gattn_tg.seq.codec import decode, encode
from gattn_tg.seq.onehot import one_hot
from gattn_tg.seq.strand import reverse_complement

__all__ = ["A", "C", "G", "N", "T", "decode", "encode", "one_hot", "reverse_complement"]
