"""What `gpu.py` runs of ours: attention captured in programs, equality of runs, one training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tinygrad import Device, GlobalCounters, Tensor, TinyJit, dtypes
from tinygrad.helpers import Context
from tinygrad.nn.optim import AdamW
from tinygrad.nn.state import get_state_dict

from bench.kernels.call import MOTIFS, Call
from bench.record import alternate, summary
from gattn_tg import MotifBias, attention
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.ops.attention.api import IMPLEMENTATIONS, choose
from gattn_tg.ops.attention.problem import build

Run = Callable[[], list[Tensor]]


def operands(call: Call, dtype: str, device: str) -> list[Tensor]:
    """q, k, v, do in the dtype, ids, and the table in float32, on the device."""
    kind = getattr(dtypes, dtype)
    wide = [Tensor(x, device=device).cast(kind).realize() for x in (call.q, call.k, call.v, call.do)]
    return [*wide, Tensor(call.ids, device=device).realize(), Tensor(call.table, device=device).realize()]


def choice(call: Call, dtype: str, device: str, impl: str) -> str:
    """Name of the implementation that serves the call."""
    q, k, v, _, ids, table = operands(call, dtype, device)
    problem = build(q, k, v, bias=MotifBias.pair(table, ids), rope=None, positions=None, is_causal=False,
                    window_size=None, lengths=None, segments=None, scale=None)  # fmt: skip
    chosen = choose(problem, impl)
    return next(name for name, implementation in IMPLEMENTATIONS.items() if implementation is chosen)


def runs(call: Call, dtype: str, device: str, impl: str) -> tuple[dict[str, Run], float]:
    """Both passes, captured, each back when its work is done; and the megabytes that they hold beside the operands."""
    q, k, v, do, ids, table = operands(call, dtype, device)
    before = GlobalCounters.mem_used

    @TinyJit
    def forward(q: Tensor, k: Tensor, v: Tensor) -> list[Tensor]:
        return [attention(q, k, v, MotifBias.pair(table, ids), impl=impl).realize()]

    @TinyJit
    def both(q: Tensor, k: Tensor, v: Tensor, do: Tensor) -> list[Tensor]:
        o = attention(q, k, v, MotifBias.pair(table, ids), impl=impl)
        results = [o, *o.gradient(q, k, v, table, gradient=do)]
        Tensor.realize(*results)
        return results

    def finished(results: list[Tensor]) -> list[Tensor]:
        Device[device].synchronize()
        return results

    made: dict[str, Run] = {
        "forward": lambda: finished(forward(q, k, v)),
        "forward+backward": lambda: finished(both(q, k, v, do)),
    }
    for run in made.values():
        for _ in range(3):
            run()
    return made, round((GlobalCounters.mem_used - before) / 2**20, 1)


def agree(run: Run, turns: int) -> int:
    """Number of runs, all of them equal bit for bit."""
    first = [x.float().numpy() for x in run()]
    for turn in range(turns - 1):
        for x, y in zip(first, run(), strict=True):
            if not np.array_equal(x, y.float().numpy()):
                raise AssertionError(f"run {turn + 2} differs from the first")
    return turns


def training_step(device: str, layers: int, n: int, rounds: int, batch: int = 4) -> dict[str, Any]:
    """Time of forward, backward and AdamW of a classifier, and its loss at the start and at the end."""
    config = ClassifierConfig(n_classes=2, width=256, n_layers=layers, n_heads=4, motif="pair", mlp_ratio=4,
                              stem_kernel=0, max_length=n, dropout=0.0)  # fmt: skip
    model = SequenceClassifier(config, seed=0)
    weights = get_state_dict(model)
    for x in weights.values():
        x.replace(x.to(device)).realize()
    optimizer = AdamW([x.is_param_(True) for x in weights.values()], lr=1e-3, weight_decay=0.01)
    rng = np.random.default_rng(0)
    bases, ids = (rng.integers(0, top, (batch, n)).astype(np.uint8) for top in (4, MOTIFS))
    arrays = (bases, ids, np.full(batch, n, np.int32), rng.integers(0, 2, batch).astype(np.int32))
    *inputs, target = (Tensor(x, device=device).realize() for x in arrays)

    @TinyJit
    def step() -> Tensor:
        with Context(TRAINING=1):
            optimizer.zero_grad()
            loss = model(*inputs).sparse_categorical_crossentropy(target)
            loss.backward()
            # together: a loss realised after the update would be computed again, from the new weights
            Tensor.realize(loss, *optimizer.schedule_step())
            return loss

    losses = [step().item() for _ in range(3)]
    times = alternate({"step": lambda: step().item()}, rounds, seconds=30)["step"]
    return {"case": f"training step, {layers} layers of 256, batch {batch} x {n}, float32", "step": summary(times),
            "loss": [losses[0], step().item()]}  # fmt: skip
