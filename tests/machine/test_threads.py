"""Kernels on all cores give the bits of one core, inside and outside the JIT, and survive forks and interrupts."""

from __future__ import annotations

import multiprocessing
import os
import platform
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Device, Tensor, TinyJit, dtypes

from gattn_tg.errors import ConfigError
from gattn_tg.machine import cpu, threads, toolchain

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _all_cores() -> Iterator[None]:
    cpu.install()
    yield
    threads.set_threads(None)


def results(n_threads: int) -> list[np.ndarray]:
    """Reductions, elementwise and strided work of tinygrad's own kernels, large enough to be split."""
    threads.set_threads(n_threads)
    rng = np.random.default_rng(1)
    a = Tensor(rng.standard_normal((512, 1024), dtype=np.float32), device="CPU").realize()
    b = Tensor(rng.standard_normal((1024, 96), dtype=np.float32), device="CPU").realize()
    return [t.numpy() for t in (a.exp() + 1, a.sum(0), a.sum(1), a.softmax(), a.T.contiguous(), a @ b)]


@pytest.mark.parametrize("n_threads", [2, 3, 5])
def test_bits_of_one_core(n_threads: int) -> None:
    for one, many in zip(results(1), results(n_threads), strict=True):
        assert one.tobytes() == many.tobytes()


@pytest.mark.parametrize("pool", [threads.RingPool, threads.PythonPool])
def test_every_part_runs_once(pool: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """More parts than workers, over and over: 40 runs with the same bits."""
    if pool is threads.RingPool and os.uname().machine != "x86_64":
        pytest.skip("ring workers are for x86-64")
    key = (os.getpid(), 3, True)
    monkeypatch.setitem(threads._pools, key, pool(2))
    threads.set_threads(3)
    x = Tensor(RNG.standard_normal((1024, 1024), dtype=np.float32), device="CPU").realize()

    @TinyJit
    def square(t: Tensor) -> Tensor:
        return (t * t).realize()

    expected = x.numpy() ** 2
    for _ in range(40):
        np.testing.assert_array_equal(square(x).numpy(), expected)


def test_workers_start_clean_in_reused_memory() -> None:
    """Counters of a worker may lie in memory that held something else: neither results nor `synchronize` may care."""
    for _ in range(8):
        Tensor([2**62], dtype=dtypes.uint64, device="CPU").contiguous().realize()
    threads._pools.clear()
    threads.set_threads(2)
    x = Tensor.ones(1024, 1024, device="CPU").contiguous().realize()
    assert (x + 1).sum().item() == 2 * 1024 * 1024
    Device["CPU"].synchronize(timeout=2000)


def test_two_python_threads_at_once() -> None:
    x = [Tensor(RNG.standard_normal((512, 512), dtype=np.float32), device="CPU").realize() for _ in range(2)]
    program = TinyJit(lambda t: (t + 1).realize())
    expected = [t.numpy() + 1 for t in x]
    for t in x:
        program(t)
    seen: list[bool] = []

    def work(i: int) -> None:
        own = TinyJit(lambda t: (t + 1).realize())
        for _ in range(10):
            seen.append(bool((own(x[i]).numpy() == expected[i]).all()))

    other = threading.Thread(target=work, args=(1,))
    other.start()
    other.join()
    work(0)
    assert seen == [True] * 20


def child(queue: multiprocessing.SimpleQueue[bytes]) -> None:
    queue.put(results(2)[0].tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_forked_child_makes_its_own_workers() -> None:
    expected = results(2)[0].tobytes()
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks with threads about
        process = context.Process(target=child, args=(queue,))
        process.start()
    assert queue.get() == expected
    process.join(30)
    assert process.exitcode == 0


def test_ctrl_c_waits_for_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("ring workers are for x86-64")
    pool = threads.RingPool(1)
    pool._posted[0] += 1  # a part that never ends, as far as the pool can see
    calls: list[int] = []

    def pressed() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        pool._done[0].value = 1

    monkeypatch.setattr(os, "sched_yield", pressed)
    with pytest.raises(KeyboardInterrupt):
        pool._wait()
    assert len(calls) == 2


def test_unknown_tinygrad_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_serial", lambda self, *bufs: None)
    assert not threads.supported()
    assert not threads.install()


def test_zero_threads_are_refused() -> None:
    with pytest.raises(ConfigError) as raised:
        threads.set_threads(0)
    assert str(raised.value) == ("threads: expected a number from 1 up, got 0; use 1 for one core")


def test_full_vector_width_without_dev_and_no_half_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    for bits, words, known, feature in (
        (512, {"avx512_fp16"}, True, ",prefer-vector-width=512,-avx512fp16"),
        (512, {"avx512_fp16"}, False, ",prefer-vector-width=512"),
        (512, {"avx512f"}, True, ",prefer-vector-width=512"),
        (256, {"avx2"}, True, ""),
    ):
        monkeypatch.setattr(cpu.toolchain, "vector_bits", lambda bits=bits: bits)
        monkeypatch.setattr(cpu.toolchain, "flags", lambda words=words: words)
        monkeypatch.setattr(cpu.toolchain, "accepts", lambda _, known=known: known)

        class Opened:
            arch = "x86_64,native"
            renderers = ()

        cpu.prepare(Opened)
        cpu.prepare(Opened)
        assert Opened.arch == "x86_64,native" + feature


def test_the_compiler_says_which_options_it_knows_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cpu.toolchain.accepts.cache_clear()
    assert cpu.toolchain.accepts("-O1")
    assert not cpu.toolchain.accepts("-mno-such-registers")
    assert not list(tmp_path.iterdir())


def test_open_device_is_widened() -> None:
    wide = cpu.toolchain.vector_bits() == 512 and Device["CPU"].arch.startswith("x86_64")
    assert (toolchain.FULL_WIDTH in Device["CPU"].arch) == wide


def test_bfloat16_is_stored_with_any_clang() -> None:
    x = Tensor([1.0, -2.5, 3e38, float("inf")], device="CPU").cast(dtypes.bfloat16).contiguous().realize()
    np.testing.assert_allclose((x * 1).float().numpy(), [1.0, -2.5, 3e38, np.inf], rtol=2**-8)
    ones = Tensor.ones(3, dtype=dtypes.bfloat16, device="CPU").contiguous()
    np.testing.assert_array_equal(ones.float().numpy(), [1, 1, 1])


def test_few_cores_compile_in_this_process() -> None:
    if cpu.toolchain.variable("PARALLEL") is not None:
        pytest.skip("PARALLEL is set")
    assert (cpu.PARALLEL.value == 0) == (cpu.cores() <= cpu.FEW_CORES)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads have no affinity on this system")
def test_a_pool_of_all_cores_has_a_core_per_worker_and_leaves_the_caller_free() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2 or platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("one core, or workers in Python")
    earlier = threads._tasks()
    pool = threads.RingPool(len(allowed) - 1)
    homes = [os.sched_getaffinity(task) for task in threads._tasks() - earlier]
    assert sorted(home for (home,) in homes) == sorted(allowed)[1:]
    assert pool._own_core == {min(allowed)}
    assert os.sched_getaffinity(0) == allowed
    assert threads.RingPool(len(allowed))._own_core == set()  # more workers than cores: the system decides
