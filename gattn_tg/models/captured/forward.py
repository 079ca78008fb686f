"""A network over rows of arrays: batches of one shape, captured once and replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context
from tinygrad.nn.state import get_parameters

from gattn_tg.errors import ConfigError
from gattn_tg.machine.recorded import recorded
from gattn_tg.models.captured.finite import finite
from gattn_tg.models.captured.inputs import Feed
from gattn_tg.models.captured.room import require_room
from gattn_tg.models.readouts.sequences import LabelReadout, SequenceReadout, ValueReadout
from gattn_tg.models.trunk import Trunk
from gattn_tg.ops.recompute import forgetting
from gattn_tg.types import Float

Shapes = tuple[tuple[int, ...], ...]


class Forward:
    """Calling it with arrays that have one row per sequence gives one row of answers per sequence, as float32.

    The network is captured at the first batches of a shape and replayed; weights changed in place are seen, weights
    replaced by other tensors are not.

    Args:
        model: Maps tensors to a tensor; rows do not depend on each other.
        batch_size: Rows per call of the network, at most; the last batch is filled up.
        device: Where the inputs go; None is tinygrad's default, a tuple shares the rows out.
        run: What is captured in place of the model's own call; it asks for no gradients inside.

    Raises:
        ConfigError: `batch_size` is no whole number of at least 1, or a batch cannot fit into memory.
        DivergedError: An answer is not finite.
    """

    def __init__(
        self, model: Callable[..., Tensor], batch_size: int, device: str | tuple[str, ...] | None = None,
        run: Callable[..., Tensor] | None = None,
    ) -> None:
        self.model, self.run, self.batch_size, self.device = model, run or model, rows_of(batch_size), device
        self._feed = Feed(device)
        self._captured: dict[Shapes, TinyJit[..., Tensor]] = {}

    def __call__(self, *arrays: np.ndarray) -> Float[np.ndarray, "n ..."]:
        """The answers to all rows, in their order."""
        firsts = range(0, len(arrays[0]), self.batch_size)
        found = [self.batch(*(array[first : first + self.batch_size] for array in arrays)) for first in firsts]
        return np.concatenate(found)

    def batch(self, *arrays: np.ndarray) -> Float[np.ndarray, "b ..."]:
        """The answers to at most `batch_size` rows; rows that are missing repeat the last one."""
        n = len(arrays[0])
        fill = self._rows(arrays) - n
        filled = [np.pad(array, ((0, fill), *((0, 0),) * (array.ndim - 1)), mode="edge") for array in arrays]
        return self.whole(*(filled if fill else arrays))[:n]

    def _rows(self, arrays: Sequence[np.ndarray]) -> int:
        """Rows to fill a batch up to: as few as are captured already, else the next power of two, at most batch_size.

        So few rows cost little, and there are few shapes to compile for.
        """
        n, inner = len(arrays[0]), [array.shape[1:] for array in arrays]
        if isinstance(self.device, tuple):
            return self.batch_size  # which the devices share out evenly
        known = [shapes[0][0] for shapes in self._captured if [shape[1:] for shape in shapes] == inner]
        if not known:
            return min(1 << max(n - 1, 0).bit_length(), self.batch_size)
        return min((rows for rows in known if rows >= n), default=self.batch_size)

    def whole(self, *arrays: np.ndarray) -> Float[np.ndarray, "..."]:
        """What the network gives for one batch as it is, which need not have a row per sequence."""
        shapes = tuple(array.shape for array in arrays)
        if isinstance(self.model, Trunk):
            lengths = arrays[2] if self.model.reads_lengths else None
            arrays = (self.model.encoded(arrays[0], lengths), *arrays[1:])
        if shapes not in self._captured:
            require_room(getattr(self.model, "config", None), shapes[0], self.device)
            self._captured[shapes] = self._to_capture()
        with Context(TRAINING=0):
            inputs = self._feed({str(i): array for i, array in enumerate(arrays)}, shapes)
            answers = self._captured[shapes](*inputs.values())
            copied: np.ndarray = np.array(answers.numpy())  # a captured call gives the same memory again
        return finite(copied, type(self.model).__name__)

    def _to_capture(self) -> TinyJit[..., Tensor]:
        """The network; where it is only a function nobody knows its weights, so it runs once before it is captured."""
        is_known = isinstance(self.model, Trunk)
        return recorded(self._run, get_parameters(self.model)) if is_known else TinyJit(self._run)

    def _run(self, *inputs: Tensor) -> Tensor:
        with forgetting():
            return self.run(*inputs).float().realize()


def rows_of(batch_size: int, most: int | None = None) -> int:
    """Rows of a batch: as many as are asked for, and `most` at the most.

    Raises:
        ConfigError: no whole number of at least 1; in batches of no rows there would be no answers.
    """
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ConfigError(f"batch_size: expected a whole number of at least 1, got {batch_size!r}; correct it")
    return int(batch_size if most is None else min(batch_size, most))


def class_probabilities(
    model: Callable[..., Tensor], batch_size: int, device: str | tuple[str, ...] | None = None
) -> Forward:
    """Probabilities of classes from a model of logits: call it with base ids, motif ids and lengths.

    Where a logit is not finite, all of its row are NaN: a softmax would make 0 of minus infinity.
    """

    def run(*inputs: Tensor) -> Tensor:
        logits = model(*inputs).float()
        return logits.isfinite().all(-1, keepdim=True).where(logits.softmax(), float("nan"))

    return Forward(model, batch_size, device, run)


def meant(readout: SequenceReadout, outputs: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """What outputs of a model of whole sequences mean; float64."""
    if isinstance(readout, ValueReadout):
        return readout.values(outputs)
    z = outputs.astype(np.float64)
    if isinstance(readout, LabelReadout):
        return np.exp(-np.logaddexp(0.0, -z))
    found: np.ndarray = np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True))
    return found


def sequence_answers(
    model: Callable[..., Tensor], readout: SequenceReadout, batch_size: int,
    device: str | tuple[str, ...] | None = None,
) -> Callable[..., Float[np.ndarray, "n c"]]:
    """What a model says of whole sequences, as its readout means it: probabilities of classes or labels, or values.

    Call it with base ids, motif ids and lengths. Values are float64, in the units of the table.
    """
    if isinstance(readout, ValueReadout):
        outputs = Forward(model, batch_size, device)
        return lambda *arrays: finite(readout.values(outputs(*arrays)), type(model).__name__)
    if isinstance(readout, LabelReadout):

        def run(*inputs: Tensor) -> Tensor:
            logits = model(*inputs).float()
            return logits.isfinite().where(logits.sigmoid(), float("nan"))  # a sigmoid would make 1 of infinity

        return Forward(model, batch_size, device, run)
    return class_probabilities(model, batch_size, device)
