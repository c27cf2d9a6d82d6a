"""What describes a function of PowerDNS in LUA records; `lzc.lua.functions` has one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lzc.lua.definition.record import Examination
from lzc.lua.health.constants import Constants
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, address_of, network_of, texts
from lzc.lua.syntax.tree import Call, Expression
from lzc.powerdns_versions import LATEST, Version
from lzc.wire import rdata as wire_rdata

Operation = list[Any]
Condition = list[Any]
Part = list[Any]
"""Operations, conditions, and parts of texts, as `lzc.lua.plan.format` has them."""

MAX_NETWORKS: Final = 8192
"""Networks of all conditions of a record: for a new client it may take a millisecond to go through
them, which nobody is charged for."""
MAX_CANDIDATES: Final = 4096
"""Candidates with a check, likewise, whenever any target came or went."""


@dataclass(slots=True, eq=False)
class Form:
    """What a plan for type ``covered`` is made of, as a ``version`` of PowerDNS answers at a name
    of so many labels (``encloser``: without an asterisk), while the code of its record is read: its
    RDATA, and how much of what takes time. All raise `Other` for what has to be left to Lua."""

    covered: int
    version: Version = LATEST
    encloser: int = 0
    _items: dict[bytes, int] = field(default_factory=dict)
    _networks: int = 0
    _candidates: int = 0

    @property
    def rdatas(self) -> list[bytes]:
        """The RDATA of all items met so far, in the order of their numbers."""
        return list(self._items)

    def item(self, content: bytes) -> int:
        """The number of a content among the RDATA."""
        if b"\0" in content:
            raise Other
        try:
            rdata = wire_rdata.from_result(self.covered, content, self.version)
        except wire_rdata.InvalidRdata as error:
            raise Other from error
        return self._items.setdefault(rdata, len(self._items))

    def items(self, node: syntax.Node) -> list[int]:
        """Likewise of a list of contents, not empty."""
        return [self.item(content) for content in texts(node)]

    def candidate(self, written: bytes) -> tuple[int, str, bytes]:
        """An address: its number among the RDATA, its octets in hex, its canonical text."""
        self._candidates += 1
        if self._candidates > MAX_CANDIDATES:
            raise Other
        packed, canonical = address_of(written)
        return self.item(canonical), packed.hex(), canonical

    def networks(self, node: syntax.Node) -> list[tuple[str, int]]:
        """A list of networks, each in hex with its length in bits."""
        written = texts(node)
        self._networks += len(written)
        if self._networks > MAX_NETWORKS:
            raise Other
        return [network_of(one) for one in written]


def is_method(node: syntax.Node, target: bytes, method: bytes) -> bool:
    """True for a call of a method, without arguments, of what a name stands for."""
    return (
        isinstance(node, syntax.MethodCall)
        and isinstance(node.target, syntax.Name)
        and node.target.name == target
        and node.method.name == method
        and not node.arguments
    )


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a parameter takes: ``what``, as messages have it.

    ``check`` reports an argument that is something else, for the function of a name.
    ``candidates`` gives what a function may choose from its argument; without it that is the
    argument itself. ``addresses`` tells that ``check`` looks at the addresses among them.
    ``several`` says how to give more than one value, where each is likely to get its own argument.
    """

    what: str
    check: Callable[[Examination, str, Expression], None]
    candidates: Callable[[Examination, Expression], Iterator[Expression]] | None = None
    addresses: bool = False
    several: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What is otherwise from a version of PowerDNS on: ``what``, in words that say how it is there
    and how it was before; ``fix``, a form that means the same everywhere; ``labels`` to ask a
    wildcard for, which show it."""

    since: Version
    what: str
    fix: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its name, and all that lzc knows of it but its Lua: that is in the file beside
    the module that describes it.

    The last ``optional`` of the ``parameters`` may be left out; with ``more``, further arguments
    are no error. ``since`` is the first PowerDNS that has it (`None`: all that are in use), and
    ``changes`` are those in what it gives.
    ``refused`` says why lzc does not run it (empty: it does). ``chosen`` is the parameter, from 0,
    that the result is taken from; ``options`` the one that has the options of health checks, of a
    function that asks for some, and ``targets`` gives the ports and URLs that stand in its first
    argument. ``includes``: it runs another record; ``of_zone``: it leads to other records of the
    zone; ``of_database``: it gives a value of a geo database, which is more than a yes or no;
    ``of_client``, ``of_name``: what it gives depends on the network of the client, on the name that
    is asked for.
    ``judge`` reports what is wrong with all calls of a record together.

    The others turn a call on constants, with as many arguments as it takes, into what a plan has
    for it, and raise `lzc.lua.syntax.constants.Other` for any other call: ``operation`` where the
    call is what a record returns, ``condition`` (of one argument) where it decides, ``part`` where
    it is a part of a text. ``code`` names the code of a location that it gives.
    """

    name: str
    parameters: tuple[Parameter, ...] = ()
    optional: int = 0
    more: bool = False
    since: Version | None = None
    changes: tuple[Change, ...] = ()
    refused: str = ""
    chosen: int | None = None
    options: int | None = None
    targets: Callable[[Expression], Constants] | None = None
    includes: bool = False
    of_zone: bool = False
    of_database: bool = False
    of_client: bool = False
    of_name: bool = False
    judge: Callable[[Examination, Sequence[Call]], None] | None = None
    operation: Callable[..., Operation] | None = None
    condition: Callable[[Form, Expression], Condition] | None = None
    part: Callable[..., Part] | None = None
    code: str = ""

    @property
    def required(self) -> int:
        """How many arguments it needs."""
        return len(self.parameters) - self.optional

    def is_in(self, version: Version) -> bool:
        """Whether a version of PowerDNS has it."""
        return self.since is None or self.since <= version

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return self.required <= count <= len(self.parameters)


class Functions(dict[str, Function]):
    """Functions by their names."""

    __slots__ = ()

    def called(self, node: syntax.Node) -> tuple[Function | None, tuple[Expression, ...]]:
        """The function that an expression calls by its name, and the arguments; `None` for anything
        else, and for more or fewer arguments than it takes."""
        if isinstance(node, Call) and isinstance(node.function, syntax.Name):
            function = self.get(node.function.name.decode("latin-1"))
            if function is not None and function.takes(len(node.arguments)):
                return function, node.arguments
        return None, ()
