"""A Lua state closed to the host, with the API of LUA records loaded into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import lupa.luajit21 as lupa

_BEFORE = (
    "limit",
    "match",
    "library",
    "bounded",
    "sandbox",
    "address",
    "name",
    "hash",
    "walk",
    "lists",
    "geo",
    "format",
    "health",
    "constants",
)
"""Files of ``api/`` that the functions of PowerDNS build on, in the order in which they build on
each other; ``boot`` comes before them all, and ``run`` behind the functions."""

SPARE_MEMORY = 16 * 2**20
"""Octets by which the limit is lifted while garbage is collected after a memory error."""


@cache
def source(name: str) -> bytes:
    """The Lua of a file of ``api/``."""
    return resources.files("lzc.lua.engine").joinpath("api", f"{name}.lua").read_bytes()


@cache
def _sources() -> list[tuple[bytes, bytes]]:
    """All files but ``boot`` by their names, in the order that they are loaded in. The functions
    are those of `lzc.lua.functions` of whose descriptions a server needs none."""
    folder = resources.files("lzc.lua").joinpath("functions")
    functions = sorted(file.name for file in folder.iterdir() if file.name.endswith(".lua"))
    return [
        *((name.encode(), source(name)) for name in _BEFORE),
        *((name[:-4].encode(), folder.joinpath(name).read_bytes()) for name in functions),
        (b"run", source("run")),
    ]


def read_ahead() -> None:
    """Read all of it now: states that are made later have the same, whatever is installed then."""
    source("boot")
    _sources()


def luajit_version() -> str:
    """The version that LuaJIT says it is."""
    return str(lupa.LuaRuntime().globals().jit.version)


def _refuse(_object: object, name: object, _setting: bool) -> str:
    raise AttributeError(name)


def _closed(
    callback: Callable[..., Any], report: Callable[[Exception], None]
) -> Callable[..., Any]:
    """The same, but `None` for what raises: lupa would hand the exception to the record, an object
    of ours with a metatable to take apart. What no argument of a record explains is reported."""

    def call(*arguments: Any) -> Any:
        try:
            return callback(*arguments)
        except (ValueError, TypeError, OverflowError):
            return None
        except Exception as error:
            report(error)
            return None

    return call


class LuaState:
    """One LuaJIT state. Programs (compiled records) sit in numbered slots.

    ``run`` executes a slot, ``run_exact`` the same while counting every instruction of the record
    (see ``api/limit.lua``); both take the slot and the facts of a query, and return what
    ``api/run.lua`` says.
    """

    def __init__(
        self,
        settings: Mapping[bytes, Any],
        callbacks: Mapping[bytes, Callable[..., Any]],
        memory_limit: int,
        report: Callable[[Exception], None],
    ) -> None:
        self._memory_limit = memory_limit
        self._runtime = lupa.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_refuse,
            max_memory=0,
        )
        load = self._runtime.execute(
            b"python = nil\n"
            b"package.loaded.python = nil\n"
            b"local loadstring, assert = loadstring, assert\n"
            b"return function(source, name, ...) return assert(loadstring(source, name))(...) end"
        )
        table = self._runtime.table_from
        shared, settings_table = table({}), table(settings)
        callback_table = table({name: _closed(one, report) for name, one in callbacks.items()})
        cores = []
        for exact in (False, True):
            core = load(source("boot"), b"=boot", exact, shared, settings_table, callback_table)
            for name, code in _sources():
                load(code, b"=" + name, core)
            cores.append(core)
        usual, exactly = cores
        self.run: Callable[..., Any] = usual[b"run"]
        self.run_exact: Callable[..., Any] = exactly[b"run"]
        self.compile: Callable[[int, bytes], bytes | None] = usual[b"compile"]
        self.forget_programs: Callable[[], None] = usual[b"forget"]
        self.reseed: Callable[[int], None] = usual[b"reseed"]
        self.forget_health: Callable[[], None] = usual[b"forget_health"]
        self.instructions: Callable[[], int] = exactly[b"used"]
        self._samples: list[Callable[[int], None]] = [core[b"sample"] for core in cores]
        self._forget_memories: Callable[[], float] = usual[b"forget_memories"]
        self._runtime.set_max_memory(memory_limit)

    def octets(self, collected: bool) -> float:
        """Octets in use, without garbage where that is to be collected first."""
        collect = b"collectgarbage() " if collected else b""
        in_use: float = self._runtime.execute(collect + b"return collectgarbage('count') * 1024")
        return in_use

    def sample(self, each: int) -> None:
        """Count the instructions of one in so many executions from now on, and of the first ones of
        each slot that is filled then; 0: of none."""
        for sample in self._samples:
            sample(each)

    def recover(self) -> float:
        """Forget what is only kept for speed, and collect all garbage, after a memory error. LuaJIT
        does not try that by itself before it gives up, so what one record left would fail the
        next. Returns the octets in use then."""
        self._runtime.set_max_memory(self._memory_limit + SPARE_MEMORY)
        try:
            return self._forget_memories() * 1024
        finally:
            self._runtime.set_max_memory(self._memory_limit)
