"""The truth: slow, obvious attention in NumPy float64; everything else is measured against it."""

from __future__ import annotations

from gattn_tg.reference.backward import Gradients, attention_backward
from gattn_tg.reference.bias import Bias
from gattn_tg.reference.differences import directional, gradient
from gattn_tg.reference.forward import attention, probabilities
from gattn_tg.reference.maps import distance, motif_mass, received
from gattn_tg.reference.rope import Rope

__all__ = [
    "Bias",
    "Gradients",
    "Rope",
    "attention",
    "attention_backward",
    "directional",
    "distance",
    "gradient",
    "motif_mass",
    "probabilities",
    "received",
]
