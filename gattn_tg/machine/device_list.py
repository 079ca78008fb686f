"""Several devices of one machine by name: `CUDA:all`, `CPU:0,CPU:1`."""

from __future__ import annotations

from tinygrad import Device

from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.machine.devices import NAMES

ALL = "ALL"
UNCOUNTED = ("CPU", "NULL", "PYTHON")  # tinygrad makes as many of them as are named


def devices_of(text: str) -> tuple[str, ...]:
    """The devices of a list, in its order.

    Args:
        text: Names with numbers, separated by commas, in upper or lower case; `NAME:all` are all of one kind.

    Raises:
        ConfigError: The list is empty, or names a device twice, or devices of several kinds, or no number.
        UnsupportedError: tinygrad has no such device, or the machine has fewer of them.

    Example:
        >>> devices_of("cpu:0, cpu:1")
        ('CPU:0', 'CPU:1')
    """
    names = [part.strip().upper() for part in text.split(",") if part.strip()]
    kinds = {name.split(":")[0] for name in names}
    if len(kinds) != 1:
        raise ConfigError(f"devices: expected devices of one kind, got {text!r}; write CUDA:0,CUDA:1")
    kind = kinds.pop()
    if kind not in NAMES:
        raise UnsupportedError(f"devices: expected one of {', '.join(NAMES)}, got {text!r}; see gattn doctor")
    numbers = [name.partition(":")[2] for name in names]
    if numbers == [ALL] and kind not in UNCOUNTED:
        return tuple(f"{kind}:{i}" for i in range(count(kind)))
    if not all(number.isdecimal() for number in numbers):
        raise ConfigError(
            f"devices: expected a number for each device, got {text!r}; write {kind}:0,{kind}:1"
        )
    if len(set(map(int, numbers))) != len(numbers):
        raise ConfigError(f"devices: expected different devices, got {text!r}; name each one once")
    if kind not in UNCOUNTED and (top := max(map(int, numbers))) >= (there := count(kind)):
        raise UnsupportedError(f"devices: expected {kind}:{top}, but {there} are here; count from {kind}:0")
    return tuple(f"{kind}:{int(number)}" for number in numbers)


def count(kind: str) -> int:
    """Devices of one kind in this machine.

    Raises:
        UnsupportedError: It cannot be opened.
    """
    try:
        return int(Device[kind].count())
    except Exception as error:  # what drivers raise has no common base
        raise UnsupportedError(
            f"devices: expected {kind}, but it cannot be opened ({error}); `gattn doctor` lists what works here"
        ) from error
