"""A NaN or an infinity reaches exactly the rows that see it, forward and backward, in every implementation."""

from __future__ import annotations

import broken_numbers
import pytest
from tinygrad import Device

# `lazy` has its gradient from tinygrad, whose products pass 0 times a broken do on; its docstring says so
OWN_BACKWARD = {"do"}


def check(case, impl, device):
    x, said = case.inputs(), {}
    for name, poisoned in broken_numbers.poisons(x).items():
        if impl == "lazy" and name in OWN_BACKWARD:
            continue
        if found := broken_numbers.faults(poisoned, broken_numbers.answers(poisoned, impl, device)):
            said[name] = found
    assert not said


LAZY = ("lengths", "causal_key_rope", "lengths_ordered", "dense_segments")  # masks and biases are shared code there


@pytest.mark.parametrize(
    ("impl", "case"),
    [("loops", case) for case in broken_numbers.CASES] + [("lazy", broken_numbers.BY_NAME[name]) for name in LAZY],
    ids=str,
)
def test_broken_numbers_reach_exactly_the_rows_that_see_them(impl, case):
    check(case, impl, "CPU")


@pytest.fixture(scope="module")
def opencl():
    try:
        Device["CL"]
    except Exception as error:  # tinygrad raises whatever its driver raises
        pytest.skip(f"no OpenCL device: {type(error).__name__}")
    return "CL"


@pytest.mark.parametrize("name", ["causal_key_rope", "lengths_ordered"])
def test_broken_numbers_reach_exactly_the_rows_that_see_them_on_opencl(name, opencl):
    check(broken_numbers.BY_NAME[name], "simt", opencl)
