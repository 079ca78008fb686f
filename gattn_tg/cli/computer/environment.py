"""Variables of the environment that tinygrad reads when it is imported, checked before that."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gattn_tg.errors import ConfigError

# Of tinygrad's switches, those that users set; its other ones it reads with int() too, and nothing here knows them.
NUMBERS = (
    "ALLOW_TF32", "BEAM", "CACHELEVEL", "CAPTURING", "CCACHE", "DEBUG", "JIT", "JIT_BATCH_SIZE", "LRU",
    "MAX_BUFFER_SIZE", "NOLOCALS", "NOOPT", "PROFILE", "SCACHE", "SPEC", "TC", "TC_OPT", "TC_SELECT", "TRAINING",
    "TRANSCENDENTAL", "VIZ", "WINO",
)  # fmt: skip
CORES = {"NUM_CPU_THREADS": 1, "PARALLEL": 0}  # name -> least
MOST_CORES = 1024
# Where launchers say how many processes they started: mpiexec of MPICH and Intel MPI, of Open MPI, srun.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")


def check(environment: Mapping[str, str] = os.environ) -> None:
    """Refuses variables that tinygrad cannot read.

    Raises:
        ConfigError: One of them is no whole number, or a number of cores that no machine has.
    """
    for name in (*NUMBERS, *CORES):
        text = environment.get(name)
        if text is None:
            continue
        try:
            value = int(text)
        except ValueError:
            raise _wrong(name, "a whole number", text) from None
        if name in CORES and not CORES[name] <= value <= MOST_CORES:
            raise _wrong(name, f"a whole number from {CORES[name]} to {MOST_CORES}", text)
    for part in environment.get("DEV", "").split(";"):
        device = part.rpartition("+")[2]
        if part.count("+") > 1 or device.count(":") > 2:
            raise _wrong("DEV", "DEVICE, DEVICE:RENDERER or DEVICE:RENDERER:ARCH", part)


def _wrong(name: str, wanted: str, text: str) -> ConfigError:
    return ConfigError(
        f"environment variable {name}: expected {wanted}, got {text[:40]!r}; correct it, or `unset {name}`"
    )


def n_launched(environment: Mapping[str, str] = os.environ) -> int:
    """The processes of a launcher; 1 without one."""
    return max((int(environment[name]) for name in SIZES if environment.get(name, "").isdecimal()), default=1)
