"""The [train] table: how the weights are learnt, whatever the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gattn_tg.strict import require

Precision = Literal["float32", "bfloat16"]
Schedule = Literal["cosine", "linear", "constant"]
_NOT_NEGATIVE = (
    "steps", "least_steps", "min_learning_rate", "warmup_steps", "weight_decay", "filter_rate", "trunk_rate",
    "lora_rank", "clip_norm", "validate_every", "checkpoint_every", "checkpoint_minutes", "patience", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class TrainSettings:
    """How the weights are learnt, whatever the task.

    Args:
        epochs: Passes over the training set; does not count where `steps` is given.
        steps: Optimiser steps of the whole run; 0 takes `epochs`.
        least_steps: Where passes are counted: further passes are made until there are so many steps, and `patience`
            ends no run before. A pass over few rows is few steps, and a network needs some hundred to begin to learn.
        batch_size: Rows of one micro-batch on one process. An optimiser step sees batch_size * accumulate * ranks rows;
            the devices of one process share its batch_size out.
        accumulate: Micro-batches whose gradients make one optimiser step.
        precision: "float32", or "bfloat16" for the network with float32 master weights.
        recompute: Keep of each block its input only, and compute it once more for its gradients: less memory, more
            time.
        learning_rate: Peak of the schedule, for AdamW.
        min_learning_rate: Where the schedule ends.
        schedule: Shape of the way there, after the warm-up: "cosine", "linear" or "constant".
        warmup_steps: Steps of linear rise.
        weight_decay: Decoupled decay of weight matrices; biases, norms and motif tables have none.
        motif_rate: Learning rate of the motif tables in multiples of the others; they start at zero, are few and get
            small gradients.
        kmer_rate: Peak of the schedule for the linear models of `kmers`, `placed` and `filters`, which learn by
            gradient descent with momentum: AdamW would take as large a step for a word that is seen once as for one
            that is seen often.
        filter_rate: Learning rate of `filters` in multiples of the others; 0 leaves the matrices as they are;
            what they find is then computed once for a run where only linear models read it.
        trunk_rate: Learning rate of weights taken over by `gattn finetune`, in multiples of the others; 0 freezes them.
        lora_rank: Updates of this rank (8, for instance) are learnt for the affine maps of the blocks, and all that
            `gattn finetune` took over stays as it is; `trunk_rate` is then the rate of the updates, which are part of
            the weights in every checkpoint. 0 for none.
        clip_norm: Gradients are scaled down to this global L2 norm; 0 never.
        ema_decay: Share of the old value that a running mean of the weights keeps in every step, for instance 0.999;
            validation and `best/` use the mean then. 0: no mean.
        label_smoothing: Share of the target spread evenly over the classes, for tasks with classes.
        reverse_complement: Flip every training example with probability 1/2, for tasks that can.
        validate_every: Steps from one validation to the next; 0 validates after every pass.
        checkpoint_every: Steps from one checkpoint to the next; 0 keeps one after every validation.
        checkpoint_minutes: Also keep one when the last is older than this; 0 never.
        keep: Checkpoints that stay on disk, the newest ones.
        monitor: What the best weights are chosen by, a metric of the validation; "" takes the task's first choice.
            Among equals the lower loss decides.
        patience: Validations without improvement before the run stops early; 0 never.
        log_every: Steps from one line of training loss in metrics.jsonl to the next.
        tensorboard: Also write event files for TensorBoard; needs the extra `tensorboard`.
        shard_optimizer: Every process of an MPI run keeps only its share of the moments of AdamW (and of the running
            mean).
        seed: Of the first weights, the order of the data and dropout.
    """

    epochs: int = 10
    steps: int = 0
    least_steps: int = 0
    batch_size: int = 64
    accumulate: int = 1
    precision: Precision = "float32"
    recompute: bool = False
    learning_rate: float = 1e-3
    min_learning_rate: float = 1e-5
    schedule: Schedule = "cosine"
    warmup_steps: int = 50
    weight_decay: float = 0.01
    motif_rate: float = 10.0
    kmer_rate: float = 2.0
    filter_rate: float = 1.0
    trunk_rate: float = 1.0
    lora_rank: int = 0
    clip_norm: float = 1.0
    ema_decay: float = 0.0
    label_smoothing: float = 0.0
    reverse_complement: bool = False
    validate_every: int = 0
    checkpoint_every: int = 0
    checkpoint_minutes: float = 0.0
    keep: int = 3
    monitor: str = ""
    patience: int = 0
    log_every: int = 10
    tensorboard: bool = False
    shard_optimizer: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "keep", "log_every"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("learning_rate", "motif_rate", "kmer_rate"):
            require(getattr(self, name) > 0, name, "more than 0", getattr(self, name))
        for name in _NOT_NEGATIVE:
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        for name in ("label_smoothing", "ema_decay"):
            require(0 <= getattr(self, name) < 1, name, "a share from 0 up to 1 (1 excluded)", getattr(self, name))
        require(self.trunk_rate > 0 or not self.lora_rank, "trunk_rate", "more than 0, the rate of the updates of "
                "lora_rank", self.trunk_rate)
        require(
            self.min_learning_rate <= self.learning_rate,
            "min_learning_rate",
            f"at most learning_rate = {self.learning_rate:g}",
            self.min_learning_rate,
        )
