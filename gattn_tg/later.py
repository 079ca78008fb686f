"""Modules that are loaded when one of their names is first used: a prediction does not wait for what explains one."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """Stands for a module until a name of it is asked for.

    A file that begins with it tells type checkers the module itself:

        if TYPE_CHECKING:
            from gattn_tg.front.why import discover
        else:
            discover = Later("gattn_tg.front.why.discover")

    Args:
        module: full name of the module.
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._module), name)
