"""The collector waits while kernels are made, and is afterwards as it was."""

from __future__ import annotations

import gc
import threading

import pytest

from gattn_tg.machine import collecting


def test_waits_inside_and_is_back_afterwards_also_after_an_error() -> None:
    def broken() -> None:
        with collecting.waits():
            with collecting.waits():
                assert not gc.isenabled()
            assert not gc.isenabled()
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert gc.isenabled()


def test_one_thread_does_not_wake_it_for_another() -> None:
    begun, end = threading.Event(), threading.Event()

    def work() -> None:
        with collecting.waits():
            begun.set()
            end.wait()

    other = threading.Thread(target=work)
    other.start()
    begun.wait()
    with collecting.waits():
        pass
    assert not gc.isenabled()
    end.set()
    other.join()
    assert gc.isenabled()


def test_who_turned_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with collecting.waits():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
