"""ifurlextup: candidates of which each has a URL of its own."""

from __future__ import annotations

from typing import Final

from lzc.lua.definition.check_options import CHANGES, HTTP_OPTIONS, check_document, read_options
from lzc.lua.definition.function import Form, Function, Operation, Parameter
from lzc.lua.definition.parameters import spread, whole_table
from lzc.lua.definition.record import Examination
from lzc.lua.functions.ifportup import up_of
from lzc.lua.health.constants import Constants
from lzc.lua.syntax.constants import Other, fields, text, values
from lzc.lua.syntax.tree import Expression, Field


def _check(record: Examination, function: str, argument: Expression) -> None:
    table = whole_table(record, function, _GROUPS.what, argument)
    if table is not None and not table.fields:
        record.report(table, "lua-empty-candidates", f"the list of {function} has nothing in it")


def _chosen(record: Examination, field: Field) -> list[Expression]:
    return [one.key for one in record.literals.fields(field.value) if one.key is not None]


_GROUPS: Final = Parameter("a list of tables from address to URL", _check, spread(_chosen))


def _targets(groups: Expression) -> Constants:
    urls = [url for group in values(groups) for url in fields(group).values()]
    return Constants(urls=frozenset(text(url).decode("latin-1") for url in urls))


def _up(form: Form, sets: Expression, given: Expression | None = None) -> Operation:
    options = read_options(form.version, given)
    every = []
    for node in values(sets):
        candidates = []
        # In an order of their own, as the record has it.
        for written, url in sorted(fields(node).items()):
            item, packed, _ = form.candidate(written)
            document = check_document(b"ext ", text(url), b"::", options.settings)
            candidates.append([item, packed, document])
        if not candidates:
            raise Other
        every.append(candidates)
    if not every:
        raise Other
    return up_of(form, options, every)


FUNCTIONS = (
    Function(
        "ifurlextup",
        (_GROUPS, HTTP_OPTIONS),
        optional=1,
        changes=CHANGES,
        since=(4, 6),
        chosen=0,
        options=1,
        targets=_targets,
        operation=_up,
    ),
)
