"""Dropout whose mask is a function of a key and of the place, so that a resumed run draws what it would have drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tinygrad import Tensor, dtypes
from tinygrad.helpers import TRAINING

from gattn_tg.errors import ConfigError
from gattn_tg.types import Float, Int

GOLDEN = 0x9E3779B9  # 2^32 divided by the golden ratio: consecutive numbers land far apart
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B


class Keys:
    """One key after another, each a function of the first: as many as a forward pass has dropouts.

    Every key is memory of its own, so that dropouts of one shape share one kernel.
    """

    def __init__(self, first: Int[Tensor, "2"], block: Int[Tensor, "1"] | None) -> None:
        self.key, self.block = first, block

    def draw(self) -> Int[Tensor, "2"]:
        self.key = mixed(self.key * 3 + self.key.flip(0) + GOLDEN).contiguous()
        return self.key


_keys: ContextVar[Keys | None] = ContextVar("gattn_tg_dropout_keys", default=None)


@contextmanager
def drawn_from(key: Int[Tensor, "2"], block: Int[Tensor, "1"] | None = None) -> Iterator[None]:
    """Dropouts inside draw from a key.

    Args:
        key: uint32, on the device (or replicated on the devices) of the operands.
        block: uint32; the operands are this one of consecutive blocks of one tensor, cut along the first axis, and get
            that part of its mask. None is the same as 0.
    """
    token = _keys.set(Keys(key, block))
    try:
        yield
    finally:
        _keys.reset(token)


def key_now() -> Int[Tensor, "2"] | None:
    """The key that the next dropout makes its own of; None outside `drawn_from`."""
    keys = _keys.get()
    return None if keys is None else keys.key


@contextmanager
def with_key(key: Int[Tensor, "2"] | None) -> Iterator[None]:
    """Dropouts inside draw what was drawn when `key_now` was this; behind it they go on where they were."""
    keys = _keys.get()
    if keys is None or key is None:
        yield
        return
    before, keys.key = keys.key, key
    try:
        yield
    finally:
        keys.key = before


def plus(
    x: Float[Tensor, "..."], branch: Callable[[Float[Tensor, "..."] | None], Float[Tensor, "..."]], p: float
) -> Float[Tensor, "..."]:
    """x + dropout(branch). The branch is given x to add in its last pass, or None where dropout comes between."""
    return x + dropout(branch(None), p) if TRAINING and p else branch(x)


def dropout(x: Float[Tensor, "..."], p: float) -> Float[Tensor, "..."]:
    """x / (1 - p) where a draw from [0, 1) is at least p, else 0; x itself unless tinygrad's TRAINING is set.

    Args:
        x: Input, on one device or shared out over several; the mask belongs to the place in the whole tensor.
        p: Share of elements that become 0.

    Raises:
        ConfigError: p is not a share.

    Numerics: inside `drawn_from` the mask depends on the key, the number of dropouts before this one and the place of
        the element, on nothing else; outside, tinygrad's own generator draws it, which goes on from call to call.
        Places are counted modulo 2^32.
    """
    if not 0 <= p < 1:
        raise ConfigError(f"dropout: expected a share from 0 up to 1 (1 excluded), got {p!r}; change dropout")
    if not TRAINING or p == 0:
        return x
    keys = _keys.get()
    if keys is None:
        return x.dropout(p)
    key = keys.draw()
    place = Tensor.arange(x.numel(), dtype=dtypes.uint32).reshape(x.shape)
    if keys.block is not None:
        place = place + keys.block.reshape(()) * (x.numel() % 2**32)
    bits = mixed(mixed(place ^ key[0]) + key[1])
    return (bits >= round(p * 2**32)).where(x * (1 / (1 - p)), 0)


def mixed(x: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """uint32 whose bits each depend on all bits of x, a bijection.

    Source: Wellons 2018, hash function prospector, lowbias32.
    """
    x = (x ^ x.rshift(16)) * _FIRST
    x = (x ^ x.rshift(15)) * _SECOND
    return x ^ x.rshift(16)
