"""Whether weights and batches fit into memory, told before any is taken. Estimates are the least there can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad import Device

from gattn_tg.errors import ConfigError
from gattn_tg.machine.memory import free_bytes
from gattn_tg.models.config import TrunkConfig
from gattn_tg.nn.initial import outline

FLOAT = 4  # bytes of float32
COPIES = 4  # of the weights while they are learnt: themselves, their gradients, two moments
ROOM = 3  # what surely fits takes no more than a third of what is free


def require_bytes(n: int, where: str, what: str, advice: str) -> None:
    """Refuses what cannot fit; what might not is left to the system.

    Args:
        n: bytes that it takes at the least.
        where: for the message.
        what: takes them.
        advice: what to do.

    Raises:
        ConfigError: less main memory is free.
    """
    free = free_bytes()
    if free is not None and n > free:
        raise ConfigError(
            f"{where}: expected what fits the {_size(free)} of memory that are free, got {what}, which take at least "
            f"{_size(n)}; {advice}"
        )


def require_weights(model: Callable[[Any], Any], config: TrunkConfig, where: str) -> None:
    """Refuses a model whose weights, gradients and moments cannot fit.

    Raises:
        ConfigError: tells how many weights there are.
    """
    with outline():
        n = model(config).n_parameters
    require_bytes(COPIES * FLOAT * n, where, f"{n:,} weights", "take a smaller model")


def require_room(
    config: object, shape: tuple[int, ...], device: str | tuple[str, ...] | None = None, *, is_training: bool = False,
    recomputes: bool = False,
) -> None:  # fmt: skip
    """Refuses a batch that cannot fit.

    Args:
        config: of the model; only those of this package are known.
        shape: rows and positions of the batch.
        device: where it is computed; only the memory of the CPU is known, so others take any batch.
        is_training: whether there is a backward pass.
        recomputes: whether blocks are computed again for it, instead of being kept.

    Raises:
        ConfigError: tells how many rows fit.
    """
    names = device if isinstance(device, tuple) else (device or Device.DEFAULT,)
    if not isinstance(config, TrunkConfig) or len(shape) < 2 or {name.split(":")[0] for name in names} != {"CPU"}:
        return
    rows, positions = shape[:2]
    row = FLOAT * config.least_floats(positions, is_training=is_training, recomputes=recomputes)
    fit = (free_bytes() or 0) // (ROOM * row)
    advice = f"take a batch size of {1 << (fit.bit_length() - 1)}" if fit else "shorten them, or take a smaller model"
    require_bytes(rows * row, "memory", f"{rows:,} rows of {positions:,} positions", advice)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:,.1f} GiB" if n_bytes >= 2**30 else f"{n_bytes / 2**20:,.1f} MiB"
