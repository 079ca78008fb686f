"""The drawing of attention: its numbers are those of the arrays, and colours mean more or less than an equal share."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from gattn_tg.explain.drawings.attention import received_drawing, share_drawing, tone
from gattn_tg.explain.drawings.svg import ORANGE, TEAL

NAMES, COLOURS = ("none", "c<pg"), ("#cccccc", "#ff0000")


def test_every_base_says_what_it_receives() -> None:
    received = np.array([[[0.5, 0.25, 0.25, 0.0], [0.25, 0.25, 0.25, 0.25]]])  # one layer, two heads, four bases
    drawn = received_drawing("ACGN", np.array([0, 1, 1, 0], np.uint8), NAMES, COLOURS, received, 2, "a & b")
    ET.fromstring(drawn)  # well-formed, the name of a motif escaped
    strips = re.findall(r"layer 1, head (\d): (.) at (\d) receives ([\d.]+) times", drawn)
    assert [float(times) for *_, times in strips] == [2, 1, 1, 0, 1, 1, 1, 1]
    bars = re.findall(r"[ACGN] at \d: ([\d.]+) times the mean", drawn)
    assert [float(times) for times in bars] == [1.5, 1, 1, 0.5]  # of the two heads
    assert not re.search(r"nan|inf", drawn)


def test_shares_stand_beside_the_share_of_bases_and_motifs_that_do_not_occur_are_left_out() -> None:
    share = np.array([[[0.25, 0.75, 0.0]]])
    drawn = share_drawing((*NAMES, "absent"), (*COLOURS, "#00ff00"), share, np.array([0.5, 0.5, 0.0]), "x")
    ET.fromstring(drawn)
    assert re.findall(r"head 1: ([\d.]+)% of the attention, ([\d.]+)% of the bases", drawn) == [
        ("25.0", "50.0"), ("75.0", "50.0"),
    ]  # fmt: skip
    assert "absent" not in drawn


def test_tones() -> None:
    assert tone(1.0)[1] == 0.0
    assert tone(2.0) == (TEAL, pytest.approx(0.3))
    assert tone(0.5) == (ORANGE, pytest.approx(0.3))
    assert tone(0.0) == (ORANGE, 0.9)
    assert tone(1000.0) == (TEAL, 0.9)
