"""Metrics of labels and values: against numbers worked out by hand, the pairwise definition, and themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gattn_tg.metrics import labels, values
from gattn_tg.metrics.calibration import reliability
from gattn_tg.metrics.classes import auc, measure, roc
from gattn_tg.metrics.correlation import spearman
from gattn_tg.metrics.outcome import WITH_INTERVAL, Outcome
from gattn_tg.metrics.ranks import mid_ranks
from gattn_tg.metrics.weights import balanced
from gattn_tg.models.readouts.sequences import ClassReadout, LabelReadout, ValueReadout

RNG = np.random.default_rng(0)


def test_equal_values_share_the_middle_of_their_places() -> None:
    assert mid_ranks(np.array([3.0, 1.0, 3.0, 3.0, 2.0])).tolist() == [4.0, 1.0, 4.0, 4.0, 2.0]


def test_spearman_is_one_minus_six_d2_without_ties_and_sees_any_rising_curve() -> None:
    one, other = RNG.permutation(30).astype(float), RNG.permutation(30).astype(float)
    d2 = ((one - other) ** 2).sum()
    assert spearman(one, other) == pytest.approx(1 - 6 * d2 / (30 * (30**2 - 1)), abs=1e-12)
    assert spearman(np.exp(one), one) == pytest.approx(1.0)
    # ranks with ties, by hand: 1 2.5 2.5 4 and 1 2 3.5 3.5, from their means -1.5 0 0 1.5 and -1.5 -.5 1 1
    assert spearman(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3, 3])) == pytest.approx(3.75 / 4.5, abs=1e-12)
    assert math.isnan(spearman(np.ones(3), one[:3]))


def test_calibration_by_hand() -> None:
    p = np.array([0.0, 0.1, 0.12, 0.18, 0.95, 1.0])
    true = np.array([False, False, True, False, True, True])
    found = reliability(true, p)
    assert found.count.tolist() == [2, 2, 2]  # 0.1 belongs to the first bin
    np.testing.assert_allclose(found.probability, [0.05, 0.15, 0.975])
    np.testing.assert_allclose(found.share, [0.0, 0.5, 1.0])
    assert found.error == pytest.approx((2 * 0.05 + 2 * 0.35 + 2 * 0.025) / 6)
    assert math.isnan(reliability(true[:0], p[:0]).error)


def test_the_area_under_the_drawn_roc_is_the_auc() -> None:
    positive, score = RNG.random(60) < 0.4, RNG.integers(0, 9, 60).astype(float)
    x, y = roc(positive, score)
    assert float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum()) == pytest.approx(auc(positive, score), abs=1e-12)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert roc(np.ones(3, bool), score[:3])[0].size == 0


def test_classes_report_precision_and_calibration() -> None:
    found = measure(np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]]))
    assert found.auprc == pytest.approx(1.0)
    assert found.ece == pytest.approx((0.2 + 0.4 + 0.7) / 3)
    assert math.isnan(measure(np.array([1, 1]), np.array([[0.8, 0.2], [0.4, 0.6]])).auprc)


def test_balanced_weights_let_all_classes_weigh_alike() -> None:
    counts = np.array([90, 9, 1, 0])
    weights = balanced(counts)
    np.testing.assert_allclose((counts * weights)[:3], 25.0)
    assert weights[3] == 1


def test_unknown_cells_change_no_metric() -> None:
    truth, p = (RNG.random(40) < 0.5).astype(float), RNG.random(40)
    wide_t, wide_p = np.append(truth, [math.nan] * 3), np.append(p, RNG.random(3))
    assert labels.measure(wide_t, wide_p) == labels.measure(truth, p)
    assert values.measure(wide_t, wide_p) == values.measure(truth, p)
    nothing = labels.measure(np.full(2, math.nan), p[:2])
    assert (nothing.n, nothing.positives) == (0, 0)
    assert math.isnan(nothing.loss)
    assert values.measure(np.full(2, math.nan), p[:2]).n == 0


def test_values_by_hand() -> None:
    found = values.measure(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
    assert (found.rmse, found.r2) == (pytest.approx(math.sqrt(3)), pytest.approx(1 - 9 / 2))
    assert found.pearson == pytest.approx(5 / math.sqrt(2 * 14), abs=1e-12)
    assert found.spearman == pytest.approx(1.0)
    assert math.isnan(values.measure(np.ones(3), np.arange(3.0)).r2)




def test_an_outcome_gives_means_and_each() -> None:
    truth = np.array([[1, 0, math.nan], [0, 0, math.nan], [1, 0, math.nan]])
    p = np.array([[0.9, 0.1, 0.5], [0.2, 0.3, 0.5], [0.7, 0.2, 0.5]])
    found = Outcome(LabelReadout(labels=("a", "b", "c")), truth, p).metrics()
    assert (found["n"], found["auprc"], found["auprc_a"]) == (3, 1.0, 1.0)  # of b and c it is not defined
    assert math.isnan(found["auprc_b"])
    losses = [-np.log([0.9, 0.8, 0.7]).mean(), -np.log([0.9, 0.7, 0.8]).mean()]
    assert found["loss"] == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("loss", ["mse", "poisson"])
def test_the_loss_of_values_is_that_of_training(loss: str) -> None:
    readout = ValueReadout(labels=("a",), mean=(2.0,), sd=(0.5,), loss=loss)  # type: ignore[arg-type]
    truth, p = np.array([[1.0], [math.nan], [3.0]]), np.array([[2.0], [9.0], [4.0]])
    wanted = {"mse": (4 + 4) / 2, "poisson": ((1 - 0.5 * np.log(1.0)) + (2 - 1.5 * np.log(2.0))) / 2}[loss]
    found = Outcome(readout, truth, p).metrics()
    assert found["loss"] == pytest.approx(wanted)
    assert set(found) == {"n", "pearson", "spearman", "r2", "rmse", "loss"}  # one column needs no names


def test_intervals_are_as_wide_as_theory_says() -> None:
    """Accuracy by the binomial distribution, AUC of two normal groups by Hanley and McNeil 1982 (equation 2)."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], (250, 150))
    p = 1 / (1 + np.exp(-(rng.normal(size=400) + truth)))
    outcome = Outcome(ClassReadout(labels=("no", "yes")), truth, np.stack([1 - p, p], 1))
    found, seen = outcome.intervals(), outcome.metrics()
    a, q1, q2 = seen["auc"], seen["auc"] / (2 - seen["auc"]), 2 * seen["auc"] ** 2 / (1 + seen["auc"])
    errors = {"accuracy": np.sqrt(seen["accuracy"] * (1 - seen["accuracy"]) / 400),
              "auc": np.sqrt((a * (1 - a) + 149 * (q1 - a * a) + 249 * (q2 - a * a)) / (150 * 250))}
    for name, error in errors.items():
        low, high = found[name]
        assert low < seen[name] < high
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert outcome.intervals() == found  # the same draws


def test_no_interval_claims_to_be_certain() -> None:
    """Of one class AUC is not defined, of answers that are all right every draw is; few sequences have no intervals."""
    readout = ClassReadout(labels=("no", "yes"))

    def intervals(truth: np.ndarray, p: np.ndarray) -> dict[str, tuple[float, float]]:
        return Outcome(readout, truth, np.stack([1 - p, p], 1)).intervals()

    one_class = intervals(np.zeros(40, int), np.linspace(0.1, 0.9, 40))
    assert np.isnan(one_class["auc"]).all()
    assert one_class["accuracy"][0] < 0.5 < one_class["accuracy"][1]
    truth = np.arange(40) % 2
    all_right = intervals(truth, 0.1 + 0.8 * truth)
    assert np.isnan([all_right[name] for name in ("accuracy", "auc", "mcc")]).all()
    assert [intervals(truth[:n], np.full(n, 0.4)) for n in (0, 1, 19)] == [{}, {}, {}]


def test_intervals_of_values_and_labels_are_of_their_means() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 2))
    truth[::7, 1] = np.nan  # not known
    readout = ValueReadout(labels=("a", "b"), loss="mse", mean=(0.0, 0.0), sd=(1.0, 1.0))
    p = 1 / (1 + np.exp(-np.nan_to_num(truth) - rng.normal(size=(60, 2))))
    for outcome in (Outcome(readout, truth, truth + rng.normal(size=(60, 2))),
                    Outcome(LabelReadout(labels=("a", "b")), (truth > 0) * 1.0, p)):
        seen = outcome.metrics()
        assert {name: low <= seen[name] <= high for name, (low, high) in outcome.intervals().items()} == dict.fromkeys(
            WITH_INTERVAL[outcome.readout.task], True)
