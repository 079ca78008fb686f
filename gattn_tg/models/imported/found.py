"""What came of the files of another project: a model with its weights, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gattn_tg.models.readouts.readout import Readout


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model of another project.

    Args:
        model: with its weights.
        readout: what it answers.
        family: its form, for people.
        licence: what is known of the licence of the weights.
        unused: weights of the file that give nothing to the answers and were left out.
        extra: what a checkpoint keeps of its origin.
    """

    why_unused: ClassVar[str] = "they give nothing to the answers"
    model: Any
    readout: Readout
    family: str
    licence: str
    unused: tuple[str, ...]
    extra: dict[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """Its sizes, JSON values."""
        c = self.model.config
        return {"parameters": self.model.n_parameters, "layers": c.n_layers, "width": c.width,
                "longest_bp": c.longest_bp}  # fmt: skip

    @property
    def said(self) -> str:
        """The same for people."""
        c = self.model.config
        return f"{self.model.n_parameters:,} parameters, {c.n_layers} layers of width {c.width}"
