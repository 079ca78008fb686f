"""AT-rich windows against a loop over windows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.motif import at_rich
from gattn_tg.seq import encode


@given(
    st.text(alphabet="AATTCGN", max_size=80), st.integers(1, 12), st.sampled_from([0.1, 0.5, 0.7, 0.9, 1.0])
)
def test_stretches_are_the_union_of_the_windows(sequence: str, window: int, fraction: float) -> None:
    inside = [False] * len(sequence)
    for start in range(len(sequence) - window + 1):
        bases = sequence[start : start + window]
        if "N" not in bases and (bases.count("A") + bases.count("T")) * 10 >= round(fraction * 10) * window:
            inside[start : start + window] = [True] * window
    spans = at_rich(encode(sequence), window, fraction)
    assert spans.covered(len(sequence)).tolist() == inside
    assert (spans.starts[1:] > spans.ends[:-1]).all()
    for start, end, score in zip(*spans, strict=True):
        part = sequence[start:end]
        assert score == (part.count("A") + part.count("T")) / len(part)
