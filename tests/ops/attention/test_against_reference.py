"""Every implementation of attention against the float64 reference: output, log-sum-exp, gradients."""

from __future__ import annotations

import re

import numpy as np
import promise
import pytest
from tinygrad import Device, Tensor, dtypes

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.errors import UnsupportedError
from gattn_tg.ops.attention.cases import CASES

IMPLEMENTATIONS = ("lazy", "loops")
BY_NAME = {case.name: case for case in CASES}

# Every feature at least once; a case costs seconds of compilation, so bench/kernels/gradcheck.py runs the whole list.
FLOAT32 = (
    "decode",
    "odd_widths",
    "causal_fewer_keys",
    "window_right",
    "lengths_empty",
    "segments_more_keys",
    "key_per_head",
    "pair_tied",
    "same_tied",
    "ordered_more_keys",
    "between_few_counts",
    "between_more_keys",
    "dense_per_head",
    "rope_partial_interleaved",
    "rope_ntk",
    "rope_yarn",
    "rope_far",
    "all_together",
)
HALF = ("pair_more_keys", "rope_far")
OTHER_DEVICES = ("between_per_head", "rope_far")


def run(x, dtype, impl, device, dlse=None):
    """Runs one call with tinygrad and gives everything in float64."""
    store = getattr(dtypes, dtype)

    def tensor(array, kind=store):
        return Tensor(np.asarray(array, np.float32), device=device).cast(kind).realize()

    def integers(array):
        return Tensor(np.asarray(array), device=device).realize()

    q, k, v, do = (tensor(array) for array in (x.q, x.k, x.v, x.do))
    table = tensor(x.table, dtypes.float32)
    keywords = x.keywords(MotifBias, Rope, integers, table=table)
    o, lse = attention(q, k, v, impl=impl, return_lse=True, **keywords)
    loss = (o.float() * do.float()).sum()
    if dlse is not None:
        loss = loss + (lse * tensor(dlse, dtypes.float32)).sum()
    inputs = [q, k, v] if keywords["bias"] is None else [q, k, v, table]
    gradients = loss.gradient(*inputs)
    Tensor.realize(o, lse, *gradients)
    arrays = [array.float().numpy().astype(np.float64) for array in (o, lse, *gradients)]
    return promise.Answers(*arrays, *([None] if keywords["bias"] is None else []))


def check(case, dtype, impl, device, with_dlse=False):
    x = case.inputs().rounded(promise.rounding(dtype))
    dlse = x.dlse if with_dlse else None
    promise.check(run(x, dtype, impl, device, dlse), case, x, dtype, dlse)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize("name", FLOAT32)
def test_float32_keeps_the_promise(name, impl):
    check(BY_NAME[name], "float32", impl, "CPU")


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", HALF)
def test_half_precision_keeps_the_promise(name, dtype, impl):
    check(BY_NAME[name], dtype, impl, "CPU")


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize("name", ["one_token", "lengths_empty"])
def test_gradients_flow_through_the_log_sum_exp(name, impl):
    check(BY_NAME[name], "float32", impl, "CPU", with_dlse=True)


def test_anchors_keep_the_promise_in_the_three_parts_of_kernels():
    check(BY_NAME["anchors_causal"], "float32", "loops", "CPU", with_dlse=True)


@pytest.fixture(scope="module")
def opencl():
    try:
        Device["CL"]
    except Exception as error:  # tinygrad raises whatever its driver raises
        pytest.skip(f"no OpenCL device: {type(error).__name__}")
    return "CL"


@pytest.mark.parametrize("impl", ["lazy", "simt"])
@pytest.mark.parametrize("name", OTHER_DEVICES)
def test_opencl_keeps_the_promise(name, impl, opencl):
    check(BY_NAME[name], "float32", impl, opencl)


def test_loops_refuses_opencl(opencl):
    text = 'attention(impl="loops"): expected operands on a CPU, got CL; use impl="auto"'
    with pytest.raises(UnsupportedError, match=re.escape(text)):
        check(BY_NAME["plain"], "float32", "loops", opencl)
