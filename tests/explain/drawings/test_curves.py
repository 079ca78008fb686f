"""curves.html: one chart per metric, only of numbers, without anything loaded from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gattn_tg.explain.drawings.curves import Told, curves_page

TOLD = Told("splice", "SequenceClassifier", 12_345, "auc", 200, 75.0)


def train(step: int) -> dict[str, Any]:
    return {"kind": "train", "step": step, "loss": 1 / step, "learning_rate": 1e-3, "gradient_norm": 1.0,
            "examples_per_s": None if step < 20 else 128.0, "positions_per_s": 7680.0}  # fmt: skip


def valid(step: int, auc: float | None) -> dict[str, Any]:
    return {"kind": "valid", "step": step, "metrics": {"n": 99, "loss": 0.5, "auc": auc, "my_metric": None}}


def test_what_a_run_noted_is_drawn() -> None:
    html = curves_page([*map(train, range(10, 310, 10)), valid(100, 0.9), valid(200, 0.95), valid(300, None)], TOLD)
    assert html is not None
    for title in ("Loss", "AUC", "Learning rate", "Gradient", "Speed"):
        assert f"<h2>{title}</h2>" in html
    assert "my_metric" not in html.lower()
    assert "<b>0.9500</b><span>AUC on validation</span>" in html
    assert "<b>200</b><span>steps to the best weights, of 300</span>" in html
    assert "<b>1:15</b>" in html
    assert "12,345 parameters" in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


def test_the_test_score_and_more_sections_stand_on_the_page() -> None:
    html = curves_page([train(10), valid(200, 0.95)], replace(TOLD, test={"auc": 0.9125}), ["<section>more</section>"])
    assert html is not None
    assert "<b>0.9125</b><span>AUC on the test set</span>" in html
    assert "<section>more</section>" in html
    html = curves_page([train(10), valid(200, 0.95)], replace(TOLD, test={"auc": float("nan")}))
    assert html is not None
    assert "on the test set" not in html


def test_a_run_without_validation_and_one_without_anything() -> None:
    html = curves_page([train(10)], TOLD)
    assert html is not None
    assert "<h2>Loss</h2>" in html
    assert "AUC" not in html
    assert curves_page([], TOLD) is None
