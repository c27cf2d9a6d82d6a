"""Tables of a TOML file as frozen objects, read strictly, with every problem found in one run.

What pydantic would do, without the 0.1 s that it takes to be imported and to build its models: a
third of the time from the start of a server to its first answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime
from types import UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    Self,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

Where = tuple[int | str, ...]
"""The keys and list indexes that lead to a value."""


class Problem(NamedTuple):
    """What is wrong with the value ``value`` at ``where``, in words, and what to do, which names
    the key as ``{}``. ``choices`` are the values that it may have, where they are few; with
    ``unknown``, its table has no such key."""

    where: Where
    message: str
    value: Any
    fix: str = ""
    choices: tuple[Any, ...] = ()
    unknown: bool = False


_REQUIRED: Final = object()
_SCALARS: Final[dict[type, str]] = {
    bool: "must be true or false, without quotes",
    int: "must be a whole number, without quotes",
    float: "must be a number, without quotes",
    str: "must be text in double quotes",
    datetime: "must be a date with a time, without quotes: 2026-12-24T18:00:00Z",
}
_BOUNDS: Final[tuple[tuple[str, str, Callable[[Any, Any], bool]], ...]] = (
    ("ge", "greater than or equal to", lambda value, bound: value >= bound),
    ("gt", "greater than", lambda value, bound: value > bound),
    ("le", "less than or equal to", lambda value, bound: value <= bound),
)


class ValidationError(ValueError):
    """Values that do not fit a table; ``problems`` has all that is wrong, in the order of the
    tables' keys."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.where}: {problem.message}" for problem in problems))
        self.problems = problems


def read_by(read: Callable[[str], object]) -> Callable[[str], str]:
    """A check of text that ``read`` understands, and that stays as it is. ``read`` raises
    `ValueError` otherwise."""

    def check(text: str) -> str:
        read(text)
        return text

    return check


@dataclass(frozen=True, slots=True)
class Before:
    """Changes a value before its type is looked at."""

    change: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A key of a table: ``alias`` is how the file spells it; bounds are those of a number."""

    default: Any
    bounds: Mapping[str, float]
    alias: str = ""
    annotation: Any = None


def Field(*, default: Any, **bounds: float) -> Any:
    """A default, and bounds of the value: ``ge``, ``gt``, ``le``."""
    return FieldInfo(default, bounds)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class Table:
    """A TOML table: annotated class attributes are its keys, with ``-`` for ``_`` in the file.

    Types are `bool`, `int`, `float`, `str`, `datetime`, `Literal`, tables, lists and dicts
    of these, any of them with ``| None`` or `Annotated`: with `Before`, or with a check that is
    given a value of the right type and returns it, or raises `ValueError`. Raises
    `ValidationError`.
    """

    model_fields: ClassVar[dict[str, FieldInfo]] = {}

    def __init_subclass__(cls) -> None:
        fields = {}
        for name, kind in get_type_hints(cls, include_extras=True).items():
            if get_origin(kind) is ClassVar:
                continue
            said = cls.__dict__.get(name, _REQUIRED)
            field = said if isinstance(said, FieldInfo) else FieldInfo(said, {})
            fields[name] = replace(field, alias=name.replace("_", "-"), annotation=kind)
        cls.model_fields = fields

    def __init__(self, **values: Any) -> None:
        self._read({name.replace("_", "-"): value for name, value in values.items()})

    @classmethod
    def read(cls, data: Mapping[str, Any], **own: Any) -> Self:
        """The table that a TOML parser gave; ``own`` are attributes beside its keys. Raises
        `ValidationError`."""
        made = cls.__new__(cls)
        made.__dict__.update(own)
        made._read(data)
        return made

    def but(self, **values: Any) -> Self:
        """The same table with other values of some attributes, which are taken as they are."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__ | values)
        return made

    def document(self) -> dict[str, Any]:
        """What `read` makes an equal table of: keys as the file spells them, tables as dicts."""
        return {
            field.alias: _plain(self.__dict__[name])
            for name, field in self.model_fields.items()
            if self.__dict__[name] is not None
        }

    def _read(self, data: Mapping[str, Any]) -> None:
        problems: list[Problem] = []
        self._fill(data, (), problems)
        if problems:
            raise ValidationError(problems)

    def _fill(self, data: Mapping[str, Any], where: Where, problems: list[Problem]) -> None:
        unknown = dict(data)
        for name, field in self.model_fields.items():
            at = (*where, field.alias)
            if field.alias in unknown:
                value = _checked(field.annotation, unknown.pop(field.alias), at, problems)
                _bound(field.bounds, value, at, problems)
            elif field.default is _REQUIRED:
                value = None
                problems.append(Problem(at, "is missing", data))
            else:
                value = deepcopy(field.default)
            self.__dict__[name] = value
        for key, value in unknown.items():
            problems.append(Problem((*where, key), "unknown key", value, unknown=True))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({values})"


def _plain(value: Any) -> Any:
    if isinstance(value, Table):
        return value.document()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


def _bound(bounds: Mapping[str, float], value: Any, where: Where, problems: list[Problem]) -> None:
    for name, words, holds in _BOUNDS:
        # What is no number was told already.
        if name in bounds and isinstance(value, int | float) and not holds(value, bounds[name]):
            problems.append(Problem(where, f"must be {words} {bounds[name]}", value))


def _checked(kind: Any, value: Any, where: Where, problems: list[Problem]) -> Any:
    """The value as the type has it; what is wrong with it goes to ``problems``."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        if value is None:
            return None
        (kind,) = (one for one in get_args(kind) if one is not type(None))
        return _checked(kind, value, where, problems)
    if origin is Annotated:
        return _annotated(get_args(kind), value, where, problems)
    if origin is Literal:
        return _chosen(get_args(kind), value, where, problems)
    if origin is list:
        if not isinstance(value, list):
            fix = "write [[{}]], in double brackets" if isinstance(value, dict) else ""
            words = 'must be a list in brackets, such as ["…"]'
            problems.append(Problem(where, words, value, fix))
            return []
        (element,) = get_args(kind)
        return [_checked(element, one, (*where, n), problems) for n, one in enumerate(value)]
    if origin is dict:
        return _mapping(get_args(kind), value, where, problems)
    if issubclass(kind, Table):
        return _table(kind, value, where, problems)
    if kind is float and type(value) is int:
        return float(value)
    if not isinstance(value, kind) or (type(value) is bool and kind is not bool):
        problems.append(Problem(where, _SCALARS[kind], value))
    return value


def _annotated(
    arguments: tuple[Any, ...], value: Any, where: Where, problems: list[Problem]
) -> Any:
    kind, validator = arguments
    if isinstance(validator, Before):
        return _checked(kind, validator.change(value), where, problems)
    known = len(problems)
    value = _checked(kind, value, where, problems)
    if len(problems) == known:
        try:
            value = validator(value)
        except ValueError as error:
            problems.append(Problem(where, str(error), value))
    return value


def _chosen(choices: tuple[Any, ...], value: Any, where: Where, problems: list[Problem]) -> Any:
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        *others, last = map(_in_toml, choices)
        words = f"{', '.join(others)} or {last}" if others else last
        problems.append(Problem(where, f"must be {words}", value, choices=choices))
    return value


def _in_toml(choice: object) -> str:
    return str(choice).lower() if isinstance(choice, bool) else repr(choice)


def _mapping(
    kinds: tuple[Any, ...], value: Any, where: Where, problems: list[Problem]
) -> dict[Any, Any]:
    if not isinstance(value, dict):
        problems.append(Problem(where, "must be a table", value))
        return {}
    return {
        _checked(kinds[0], key, (*where, key, "[key]"), problems): _checked(
            kinds[1], one, (*where, key), problems
        )
        for key, one in value.items()
    }


def _table(kind: type[Table], value: Any, where: Where, problems: list[Problem]) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, dict):
        fix = "write [{}], in single brackets" if isinstance(value, list) else ""
        problems.append(Problem(where, "must be a table", value, fix))
        return value
    made = kind.__new__(kind)
    made._fill(value, where, problems)
    return made
