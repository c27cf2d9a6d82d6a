"""What is wrong with an ``lzc.toml``, in the operator's words and with its location.

What checks values and the TOML parser of the standard library keep no positions, so keys are
looked for in the text again, line by line.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from lzc.config.table import Problem, Table, Where
from lzc.faults import Fault, Place

_HEADER = re.compile(r"\s*\[\[?\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_KEY_PART = re.compile(r'"([^"]*)"|\'([^\']*)\'|([^.\s=]+)')
_KEY = re.compile(
    r"""(\s*)((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*="""
)


def describe(file: str, text: str, model: type[Table], problem: Problem) -> Fault:
    """The fault that a problem of a file read as ``model`` is; ``text`` is the file's."""
    path: Where = tuple(part for part in problem.where if part != "[key]")
    place = locate(file, text, path)
    key = shown(path)
    if problem.unknown:
        if path[0] == "zone" and len(path) > 2 and isinstance(problem.value, dict):
            name = ".".join(map(str, path[1:]))
            fix = f'put the name in quotes: [zone."{name}"]'
            return Fault(place, "config-value", f"unknown key {key}", "dots part keys in TOML", fix)
        known = _keys_at(model, path[:-1])
        close = difflib.get_close_matches(str(path[-1]).replace("_", "-"), known, n=1)
        return Fault(
            place,
            "config-value",
            f"unknown key {key}",
            "a key that nobody reads is a setting that does not hold",
            f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}",
        )
    choices = [choice for choice in problem.choices if isinstance(choice, str)]
    close = difflib.get_close_matches(str(problem.value), choices, n=1)
    fix = f'did you mean "{close[0]}"?' if close else problem.fix.format(key)
    return Fault(place, "config-value", f"{key}: {problem.message}", "", fix)


def shown(path: Where) -> str:
    """A path as messages show it: ``serve.listen[1]``, numbers from 0 as in the file's order."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            text += f".{part}"
        else:
            text += f".{json.dumps(part, ensure_ascii=False)}"
    return text.removeprefix(".")


def _keys_at(model: type[Table], path: Where) -> list[str]:
    """The keys that the table at ``path`` may have."""
    for part in path:
        field = next((one for one in model.model_fields.values() if one.alias == part), None)
        # An element of a list or of a table of tables has the model that its field has.
        if field is not None:
            model = next(_tables_in(field.annotation))
    return [field.alias for field in model.model_fields.values()]


def _tables_in(annotation: Any) -> Iterator[type[Table]]:
    if isinstance(annotation, type) and issubclass(annotation, Table):
        yield annotation
    for inner in get_args(annotation):
        yield from _tables_in(inner)


def locate(file: str, text: str, path: Sequence[int | str]) -> Place:
    """Where a key stands in TOML text, or the header of its table where it does not."""
    names = [part for part in path if isinstance(part, str)]
    # A number after a table's name counts its headers; one at the end, the elements of a list.
    element = path[1] if len(path) > 1 and isinstance(path[1], int) else None
    best: tuple[int, Place] = (0, Place(file, 1, 1))
    table: list[str] = []
    headers = 0
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header and "=" not in line.split("#")[0].split('"')[0]:
            table = _parts(header[1])
            headers += table == names[: len(table)] and len(table) == 1
            depth = len(table) if table == names[: len(table)] else 0
            column = len(line) - len(line.lstrip()) + 1
        else:
            key = _KEY.match(line)
            if not key or table != names[: len(table)]:
                continue
            whole = table + _parts(key[2])
            depth = len(whole) if whole == names[: len(whole)] else 0
            column = len(key[1]) + 1
        if isinstance(element, int) and headers and headers != element + 1:
            continue
        if depth > best[0]:
            best = depth, Place(file, number, column)
    return best[1]


def _parts(key: str) -> list[str]:
    return ["".join(part) for part in _KEY_PART.findall(key)]
