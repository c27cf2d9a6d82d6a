"""createReverse, createReverse6: a name from the address asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lzc.lua.address import family
from lzc.lua.definition.function import Change, Form, Function, Operation, Parameter
from lzc.lua.definition.parameters import refuse, scalar
from lzc.lua.definition.record import Examination, quoted
from lzc.lua.syntax.constants import Other, address_of, fields, port_of, text
from lzc.lua.syntax.tree import Expression
from lzc.powerdns_versions import since

_FIELD: Final = re.compile(rb"%([0-9]+)%|%%")
_ZEROS: Final = {(4, 7): False, (5, 1): True}
"""Whether zeros keep hyphens from the ends of an address."""
_PLAIN_FORMAT: Final = re.compile(rb"(?:[^%]|%%|%[1-9][0-9]{0,3}%)*", re.DOTALL)


def _format(last: int) -> Parameter:
    """A format with so many fields."""

    def look(record: Examination, function: str, node: Expression, text: bytes) -> None:
        if b"%" in _FIELD.sub(b"", text.replace(b"%%", b"")):
            record.report(
                node,
                "lua-argument",
                f"{function}: {quoted(text)} has a percent sign that starts no field",
                why="the answer would be the word error",
                fix=f"fields are %1% to %{last}%; a percent sign is %%",
            )
            return
        for found in _FIELD.finditer(text):
            if found[1] is not None and not 1 <= int(found[1]) <= last:
                record.report(
                    node,
                    "lua-argument",
                    f"{function}: {found[0].decode()} is no field",
                    why="nothing is put in its place",
                    fix=f"fields are %1% to %{last}%",
                )

    return scalar(f"a format with %1% to %{last}%", look)


def _check_exceptions(record: Examination, function: str, argument: Expression) -> None:
    if record.literals.kind(argument) not in (None, "table"):
        refuse(record, function, _EXCEPTIONS.what, argument)
    for field in record.literals.fields(argument):
        key = None if field.key is None else record.literals.text(field.key)
        if field.key is None and record.literals.kind(field.value) is not None:
            record.report(field, "lua-argument", f"{function}: an exception without its address")
        elif key is not None and family(key) is None:
            record.report(field, "lua-bad-address", f"{function}: {quoted(key)} is no address")


_EXCEPTIONS: Final = Parameter("a table from address to name", _check_exceptions)


def _reverse(name: str) -> Callable[..., Operation]:
    def operation(
        form: Form, pattern: Expression, exceptions: Expression | None = None
    ) -> Operation:
        written_form = text(pattern)
        if not _PLAIN_FORMAT.fullmatch(written_form):
            raise Other
        names: dict[str, str] = {}
        for written, other in fields(exceptions).items() if exceptions is not None else ():
            packed, _ = address_of(written)
            if packed.hex() in names or port_of(written):
                raise Other
            names[packed.hex()] = text(other).decode("latin-1")
        return [name, written_form.decode("latin-1"), names, since(form.version, _ZEROS)]

    return operation


_TABLE_CHANGE: Final = Change(
    (5, 1),
    "exceptions may be tables; before, such are an error",
    "give names as texts: {['192.0.2.1']='host.example.org.'}",
)

FUNCTIONS = (
    Function(
        "createReverse",
        (_format(6), _EXCEPTIONS),
        optional=1,
        changes=(
            Change(
                (4, 9),
                "with exceptions, a name that is no address gives the word error; before, that is"
                " an error",
                "have the record only where names are addresses: a wildcard that has four labels"
                " behind it at most",
                ("x", "x.2", "300"),
            ),
            _TABLE_CHANGE,
        ),
        of_name=True,
        operation=_reverse("reverse"),
    ),
    Function(
        "createReverse6",
        (_format(41), _EXCEPTIONS),
        optional=1,
        changes=(
            Change(
                (4, 9),
                "what is no address, or no format, gives the word error; before, the word unknown",
                "correct the format; names that are no address need not have an answer",
                ("x",),
            ),
            Change(
                (5, 1),
                "%33% has zeros where it would begin or end with a hyphen (0--1, 2001-db8--0);"
                " before, it has none (--1, 2001-db8--)",
                "write the nibbles or groups: %34%-%35%-%36%-%37%-%38%-%39%-%40%-%41%",
                ("0", "1"),
            ),
            _TABLE_CHANGE,
        ),
        of_name=True,
        operation=_reverse("reverse6"),
    ),
)
