"""Functions of the distance between two bins, of which the attention of Enformer and of Borzoi makes its positions."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Literal

import numpy as np

from gattn_tg.ops import constants
from gattn_tg.types import Float

Functions = Literal["enformer", "published", "borzoi", "none"]
PUBLISHED_FUNCTIONS, PUBLISHED_TOKENS = 192, 1536
BORZOI_TOKENS = 4096  # the widths of Borzoi's masks are made for so many, however many there are
GAMMAS = Path(__file__).with_name("gammas.npz")  # its origin stands in GAMMAS.txt beside it
LEAST = 1e-8  # is added to densities
SHORTEST = 3.0  # log2 of the shortest half life of an exponential, in bins


@constants.on_device
def functions_of_distance(kind: Functions, count: int, n_tokens: int, n: int) -> Float[np.ndarray, "r c"]:
    """The functions for the distances from 1 - n to n - 1, r = 2 n - 1, in float32.

    They are no parameters, so no checkpoint holds them.

    Args:
        kind: see `values`.
        count: of functions, c.
        n_tokens: bins that the functions are made for.
        n: bins that there are; at most n_tokens.
    """
    return values(kind, count, n_tokens)[n_tokens - n : n_tokens + n - 1].astype(np.float32)


@functools.cache
def values(kind: Functions, count: int, n_tokens: int) -> Float[np.ndarray, "r c"]:
    """The functions for the distances from 1 - n_tokens to n_tokens - 1, in float64.

    One half are functions f(|d|), the other half the same times the sign of d. With K functions of each family, for
    k from 1 to K and n = n_tokens:

        exponentials   2^(-|d| / h_k), half lives h_k from 2^3 to n, evenly on a scale of logarithms
        masks          1 where |d| < 2^k - 1, else 0
        gammas         the density at |d| of a gamma distribution with the mean m_k and the standard deviation
                       n / (2 K), m_k from n / K to n evenly; divided by the largest of all K at this distance

    Args:
        kind: "enformer", these three; "published", the same with densities divided by their largest over distances, as
            TensorFlow computed them for the weights that are published, which were trained with their errors; "borzoi",
            masks 1 where |d| < 4097^(k / K) - 1.
        count: of functions.
        n_tokens: as above; 1536 for "published", where count is 192.

    Source: Avsec et al. 2021 (Enformer), Methods; Linder et al. 2025 (Borzoi), Methods, and what enformer-pytorch and
        borzoi-pytorch compute.
    """
    distance = np.abs(signed := np.arange(1 - n_tokens, n_tokens, dtype=np.float64))[:, None]
    if kind == "borzoi":
        each = count // 2
        rate = np.float32(math.exp(math.log(BORZOI_TOKENS + 1) / each))  # masks end where float32 says
        basis = ((rate ** np.arange(1, each + 1)).astype(np.float32) - 1 > distance).astype(np.float64)
    else:
        each = count // 6
        exponentials = 2.0 ** (-distance / 2 ** np.linspace(SHORTEST, math.log2(n_tokens), each))
        masks = (2.0 ** np.arange(1, each + 1) - 1 > distance).astype(np.float64)
        gammas = published() if kind == "published" else densities(distance, each, n_tokens)
        basis = np.concatenate([exponentials, masks, gammas], 1)
    return np.concatenate([basis, np.sign(signed)[:, None] * basis], 1)


def densities(distance: Float[np.ndarray, "r 1"], each: int, n_tokens: int) -> Float[np.ndarray, "r k"]:
    """Densities of gamma distributions, divided by the largest at each distance."""
    deviation, mean = n_tokens / (2 * each), np.linspace(n_tokens / each, n_tokens, each)
    shape, rate = (mean / deviation) ** 2, mean / deviation**2
    constant = np.array([math.lgamma(a) for a in shape]) - shape * np.log(rate)
    with np.errstate(divide="ignore"):  # the logarithm of 0, where a density is 0: shapes are above 1
        logarithm = (shape - 1) * np.log(distance) - rate * distance - constant
    found = np.exp(logarithm) + LEAST
    scaled: np.ndarray = found / found.max(1, keepdims=True)
    return scaled


def published() -> Float[np.ndarray, "r k"]:
    """The gamma functions that the published weights were trained with."""
    with np.load(GAMMAS) as kept:
        right = kept["densities"].astype(np.float64)
    return np.concatenate([right[:0:-1], right])
