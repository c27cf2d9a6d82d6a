"""What describes a function of PowerDNS in LUA records; `lzc.lua.functions` has one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lzc.lua.definition.form import Form
from lzc.lua.definition.record import Examination
from lzc.lua.definition.versions import Version
from lzc.lua.health.constants import Constants
from lzc.lua.syntax.tree import Call, Expression

Operation = list[Any]
Condition = list[Any]
Part = list[Any]
"""Operations, conditions, and parts of texts, as `lzc.lua.plan.format` has them."""


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
class Function:
    """A function by its name, and all that lzc knows of it but its Lua: that is in the file beside
    the module that describes it.

    The last ``optional`` of the ``parameters`` may be left out; with ``more``, further arguments
    are no error. ``since`` is the first PowerDNS that has it (`None`: all that are in use).
    ``refused`` says why lzc does not run it (empty: it does). ``chosen`` is the parameter, from 0,
    that the result is taken from; ``options`` the one that has the options of health checks, of a
    function that asks for some, and ``targets`` gives the ports and URLs that stand in its first
    argument. ``includes``: it runs another record; ``of_zone``: it leads to other records of the
    zone; ``of_database``: it gives a value of a geo database, which is more than a yes or no.
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
    refused: str = ""
    chosen: int | None = None
    options: int | None = None
    targets: Callable[[Expression], Constants] | None = None
    includes: bool = False
    of_zone: bool = False
    of_database: bool = False
    judge: Callable[[Examination, Sequence[Call]], None] | None = None
    operation: Callable[..., Operation] | None = None
    condition: Callable[[Form, Expression], Condition] | None = None
    part: Callable[..., Part] | None = None
    code: str = ""

    @property
    def required(self) -> int:
        """How many arguments it needs."""
        return len(self.parameters) - self.optional

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return self.required <= count <= len(self.parameters)
