"""Imports Faust without what only those parts of it need which we do not use: its web client, cron, gaps, codecs of others.

Faust imports these libraries when it is imported itself, which would be a tenth of a worker's start. While it does so, small
modules stand in their place. Each has the names that Faust asks for, as classes that import the library and call its own class
when they are called. So all of Faust still works, and a later `import aiohttp` gets the library itself.

If Faust wants another name of these libraries, for example in a later version, it gets the libraries.

Faust also looks for codecs in the metadata of everything that is installed, when a consumer joins its group. We have no model
with such a codec.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, Final

# By module, the classes that Faust imports from it. The package of each module is here too.
ASIDE: Final[dict[str, tuple[str, ...]]] = {
    "aiohttp": (),
    "aiohttp.client": ("ClientSession",),  # the default of a setting, and a type
    "croniter": (),
    "croniter.croniter": ("croniter",),  # timers that are written as in a crontab
    "intervaltree": ("IntervalTree",),  # acknowledgements out of order, which transport.py does without
}


class _Later(type):
    """The class of classes that stand for those of a library."""

    library: str  # the name of its module

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Import the library, and make an object of its class."""
        return getattr(import_module(cls.library), cls.__name__)(*args, **kwargs)


def _stand_in(module: str) -> ModuleType:
    found = ModuleType(module, "Stands for a library while Faust is imported.")
    found.__path__ = []  # it may be a package, in which nothing else is found
    for name in ASIDE[module]:
        setattr(found, name, _Later(name, (), {"library": module}))
    return found


@contextmanager
def aside() -> Iterator[None]:
    """Let small modules stand for the libraries that are not loaded yet."""
    standing = {module: _stand_in(module) for module in ASIDE if module.partition(".")[0] not in sys.modules}
    sys.modules.update(standing)
    try:
        yield
    finally:
        for module in standing:
            del sys.modules[module]


def _import_faust() -> None:
    import_module("faust.app")
    import_module("faust.transport.drivers.aiokafka")


try:
    with aside():
        _import_faust()
except (ImportError, AttributeError):
    _import_faust()
import_module("faust.serializers.codecs")._extensions_finalized["faust.codecs"] = True  # the search is over
