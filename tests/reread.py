"""Gradients of a loss that was read before: the same as of one that was not, however often they are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from tinygrad import Tensor, TinyJit

Loss = Callable[..., Tensor]


def same_after_reading(loss_of: Loss, leaves: Sequence[Tensor], rtol: float = 1e-4) -> None:
    """`gradient` before and after reading, then `backward` once and once more; every leaf must have a gradient.

    Args:
        loss_of: Takes the leaves, gives a scalar.
        leaves: Realised tensors.
        rtol: Of the largest entry of each gradient. Values that a loss keeps after it was read are rounded to their
            type, and sums may be split otherwise, so not bit for bit.
    """
    want = [x.numpy() for x in loss_of(*leaves).gradient(*leaves)]
    for i, x in enumerate(want):
        assert np.abs(x).max() > 0, f"leaf {i} has no gradient"
    loss = loss_of(*leaves)
    loss.item()
    _close([x.numpy() for x in loss.gradient(*leaves)], want, 1, rtol)
    for x in leaves:
        x.grad = None
    for times in (1, 2):
        loss.backward()
        grads = [x.grad for x in leaves]
        _close([None if x is None else x.numpy() for x in grads], want, times, rtol)


def same_under_jit(loss_of: Loss, leaves: Sequence[Tensor], rtol: float = 1e-4) -> None:
    """The same when the loss is realised first inside a captured step, from its first run to its replays."""
    want = [x.numpy() for x in loss_of(*leaves).gradient(*leaves)]

    @TinyJit
    def step(*given: Tensor) -> tuple[Tensor, ...]:
        loss = loss_of(*given)
        read = loss.contiguous().realize()  # what `loss.item()` realises: a copy, the loss itself stays
        found = loss.gradient(*given)
        return (read, *(x.realize() for x in found))

    for _ in range(3):  # as it is, captured, replayed
        _close([x.numpy() for x in step(*leaves)[1:]], want, 1, rtol)


def _close(got: Sequence[np.ndarray | None], want: Sequence[np.ndarray], times: int, rtol: float) -> None:
    for i, (x, y) in enumerate(zip(got, want, strict=True)):
        assert x is not None, f"leaf {i}: the gradient is gone"
        atol = rtol * times * float(np.abs(y).max())
        np.testing.assert_allclose(x, times * y, rtol=0, atol=atol, err_msg=f"leaf {i}, backward {times}")
