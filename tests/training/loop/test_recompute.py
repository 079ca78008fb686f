"""Blocks computed again for their gradients: the weights of steps that keep everything, bit for bit, in less memory."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
from tinygrad import GlobalCounters, Tensor
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict
from training import tiny

from gattn_tg.models.captured.inputs import to_tensors
from gattn_tg.models.classifier import ClassifierConfig
from gattn_tg.ops import recompute
from gattn_tg.training.loop.step import Step


def trained(config: ClassifierConfig, *, is_again: bool, steps: int, rows: int = 8, **settings: object) -> tuple[
    dict[str, np.ndarray], int
]:
    """Weights after some steps, and the memory that stepping takes, in bytes."""
    task = tiny.task(replace(tiny.SETTINGS, recompute=is_again, batch_size=rows, **settings), config)  # type: ignore[arg-type]
    parameters = get_state_dict(task.model)
    step = Step(task.loss, parameters, task.settings)
    gc.collect()  # what others left would be let go in between
    before = GlobalCounters.mem_used
    with Context(TRAINING=1):
        for i in range(steps):
            step([to_tensors(task.batch(i, m, 0, 1)) for m in range(task.settings.accumulate)], 1e-2)
    gc.collect()
    taken = GlobalCounters.mem_used - before
    return {name: x.numpy().copy() for name, x in parameters.items()}, taken


def test_weights_are_those_without_bit_for_bit() -> None:
    config = replace(tiny.MODEL, n_layers=2, width=32, dropout=0.2)
    kept, again = (trained(config, is_again=x, steps=4)[0] for x in (False, True))
    assert [name for name, x in kept.items() if again[name].tobytes() != x.tobytes()] == []


def test_strengths_of_motifs_that_learn_get_the_gradient_of_every_block() -> None:
    config = replace(tiny.MODEL, n_layers=2, motif="key", filters=4, filter_width=5)
    kept, again = (trained(config, is_again=x, steps=1, accumulate=2)[0] for x in (False, True))
    for name, x in kept.items():  # narrower than the tiles of our products, so sums may differ in their last bits
        np.testing.assert_allclose(again[name], x, rtol=1e-4, atol=1e-4, err_msg=name)


def test_eight_layers_take_less_than_half_of_the_memory() -> None:
    config = replace(tiny.MODEL, n_layers=8, width=32, dropout=0.0)
    kept, again = (trained(config, is_again=x, steps=1, rows=64)[1] for x in (False, True))
    assert 0 < again < 0.4 * kept


def test_what_several_stages_read_gets_the_gradient_of_all_of_them() -> None:
    """Two blocks, the loss and the input all read one tensor that is made of a parameter and kept in memory."""
    rng = np.random.default_rng(0)
    made, weight, x = (Tensor(rng.standard_normal(n).astype(np.float32)).realize() for n in (5, 5, 5))

    def loss() -> Tensor:
        strength = (made * 2).exp().contiguous()
        y = x * strength
        for _ in range(2):
            y = recompute.block(lambda x, beside: (x * weight + beside).tanh(), y, strength)
        return (y * strength).sum()

    plain = [g.numpy() for g in loss().gradient(made, weight)]
    with recompute.recomputing() as stages:
        found = recompute.gradients(stages, loss(), [made, weight])
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-6)
