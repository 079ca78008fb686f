"""Fixtures shared by every room, and the device the suite runs on."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

# An installed OpenCL driver comes before the CPU in tinygrad's own order; the suite names its devices itself.
os.environ.setdefault("DEV", "CPU")
# Sizes of kernels are those of the package, whatever `gattn bench --tune` has written for this user.
os.environ["GATTN_PLAN"] = os.devnull

# kernels are compiled inside examples, and machines are shared: no example has a time limit
settings.register_profile("gattn", deadline=None, derandomize=True)
settings.load_profile("gattn")

# tinygrad's graphs are many objects and few cycles: looking for those as often as Python does by itself takes a
# fourteenth of the time
gc.set_threshold(50_000, 10, 10)

ROOT = Path(__file__).resolve().parent.parent
# Two processes take whole files in this order. Files of few but long tests begin, so that at the end no process waits
# for the other to finish one of them.
LONG_FILES = (
    "test_tutorials.py", "cli/test_demo.py", "machine/test_arguments.py", "kernels/mma/test_mma.py",
    "training/loop/test_ranks.py", "training/test_example_configs.py", "models/test_gradients.py",
    "ops/attention/test_sharded.py", "training/tasks/test_tracks.py", "training/loop/test_whole_step.py",
    "training/keep/test_killed.py", "models/test_generate.py", "kernels/simt/test_simt.py", "cli/test_along.py",
    "ops/attention/test_sequence.py", "kernels/mma/test_cuda.py", "training/loop/test_fit.py", "test_bench_gpu.py",
    "training/tasks/test_language.py", "cli/test_dataset.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the order inside a file stays."""
    at = {ROOT / "tests" / name: i for i, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: at.get(item.path, len(at)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository, or a skip that says it is not there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is absent")
    return folder
