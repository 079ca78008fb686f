"""Running sums and running means of many tensors at once, changed in place in a few kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from tinygrad import Tensor, dtypes

from gattn_tg.kernels.dense import optimizer_step
from gattn_tg.ops.launch import on_one_cpu, update
from gattn_tg.types import Float


def add(sums: Sequence[Tensor], values: Sequence[Tensor], fresh: Float[Tensor, "1"]) -> None:
    """sum = value where fresh is above 0, else sum + value, in float32; the sums change when they are realised."""
    if all(on_one_cpu(s) for s in sums):
        _in_groups(_add, sums, values, fresh)
        return
    is_fresh = fresh.reshape(()) > 0
    for total, x in zip(sums, values, strict=True):
        total.assign(is_fresh.where(0.0, total) + x.cast(dtypes.float32))


def follow(means: Sequence[Tensor], values: Sequence[Tensor], decay: Float[Tensor, "1"]) -> None:
    """mean = mean + (1 - decay) (value - mean), in float32; the means change when they are realised."""
    if all(on_one_cpu(m) for m in means):
        _in_groups(_follow, means, values, decay)
        return
    for mean, x in zip(means, values, strict=True):
        mean.assign(mean + (1 - decay.reshape(())) * (x.detach().cast(dtypes.float32) - mean))


def _in_groups(
    kernel: Callable[[int], Callable[..., object]], targets: Sequence[Tensor], values: Sequence[Tensor], scalar: Tensor
) -> None:
    most = optimizer_step.MOST // 2
    for start in range(0, len(targets), most):
        group = targets[start : start + most]
        flat = [x.reshape(x.numel()) for x in values[start : start + most]]
        update(kernel(len(group)), group, [scalar, *flat])


_add, _follow = functools.cache(optimizer_step.add), functools.cache(optimizer_step.follow)
