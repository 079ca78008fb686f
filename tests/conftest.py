"""Fixtures shared by every room, and the device the suite runs on."""

from __future__ import annotations

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

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository, or a skip that says it is not there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is absent")
    return folder
