"""``$GENERATE range owner [TTL] [class] type RDATA``, as BIND has it: one record a number.

In owner and RDATA ``$`` is the number and ``${offset,width,base}`` a number made from it; ``\\$``
and ``$$`` are a plain dollar.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from lzc.faults import pack
from lzc.source.lexer import Entry, Token, read_entry, shown
from lzc.source.limits import CODE_WEIGHT, GENERATED, OCTETS, OverLimit
from lzc.source.records import Head, choose_ttl, read_head, read_owner, read_rdata
from lzc.source.state import SETTING, FileScope
from lzc.wire import rrtype as rr

MAX_RECORDS: Final = 1_000_000
"""Records that one directive may make at most."""

_RANGE = re.compile(rb"(\d{1,10})-(\d{1,10})(?:/(\d{1,10}))?")
_PLACEHOLDER = re.compile(
    rb"\\(.)|(\$\$)|\$\{([+-]?\d{1,10})(?:,(\d{1,3})(?:,([doxXnN]))?)?\}|(\$\{)|\$", re.DOTALL
)
_OTHERWISE = re.compile(rb"\$\$|\\[0-9]{3}|\$\{[^}]*,[nN]\}")
"""What PowerDNS reads otherwise."""
_BLANKS = re.compile(rb"[ \t]+")
_TEXT_TYPES: Final = frozenset({rr.TXT, rr.SPF})
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


class BadTemplate(ValueError):
    """A placeholder that is not well-formed, or a number that it cannot show."""


def parse_range(text: bytes) -> range:
    """``start-stop`` or ``start-stop/step``, the stop included. Raises `ValueError`, which says
    what is wrong."""
    match = _RANGE.fullmatch(text)
    if not match:
        raise ValueError("a range is start-stop or start-stop/step, such as 1-254")
    start, stop, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if stop < start:
        raise ValueError(f"the range ends at {stop}, before it starts at {start}")
    if step < 1:
        raise ValueError("the step is at least 1")
    numbers = range(start, stop + 1, step)
    if len(numbers) > MAX_RECORDS:
        raise ValueError(f"the range makes {len(numbers)} records; at most {MAX_RECORDS} may be")
    return numbers


def substitute(template: bytes, number: int, *, powerdns: bool = False) -> bytes:
    """``template`` with its placeholders filled in for ``number``. As PowerDNS does it, ``$$`` is
    the number twice, escapes are undone first, and ``n`` is ``d``. Raises `BadTemplate`."""
    if b"$" not in template and not (powerdns and b"\\" in template):
        return template

    def fill(match: re.Match[bytes]) -> bytes:
        escaped, dollar, offset, width, base, unclosed = match.groups()
        if escaped is not None:
            return escaped if powerdns or escaped == b"$" else match[0]
        if dollar:
            return b"%d%d" % (number, number) if powerdns else b"$"
        if unclosed:
            raise BadTemplate("a placeholder is ${offset}, ${offset,width} or ${offset,width,base}")
        base = b"d" if base is None or (powerdns and base in b"nN") else base
        return format_number(number + int(offset or 0), int(width or 0), base.decode())

    return _PLACEHOLDER.sub(fill, template)


def format_number(value: int, width: int, base: str) -> bytes:
    """A number padded with zeros to ``width`` characters, in ``base`` d, o, x or X, or n or N:
    hexadecimal digits as labels, the lowest first, dots counted in the width.

    Raises `BadTemplate` for negative values.
    """
    if value < 0:
        raise BadTemplate(f"the offset makes a negative number, {value}")
    if base not in "nN":
        return f"{value:0{width}{base}}".encode()
    digits = f"{value:x}"[::-1].ljust((width + 1) // 2, "0")
    text = ".".join(digits)
    if width and width > len(text):
        text += "."
    return (text.upper() if base == "N" else text).encode()


def read_generate(scope: FileScope, entry: Entry) -> None:
    """Add the records that the directive in ``entry`` makes; report what is wrong with it once,
    at the directive's field, however many records it would break. Raises `AtFault`."""
    state, tokens = scope.state, entry.tokens
    if len(tokens) < 5:
        scope.fail(
            tokens[0],
            "bad-directive",
            "$GENERATE takes a range, an owner, a type and RDATA",
            fix="such as: $GENERATE 1-254 host$ A 192.0.2.$",
        )
    try:
        numbers = parse_range(tokens[1].text)
    except ValueError as error:
        scope.fail(tokens[1], "bad-generate", f"{shown(tokens[1].text)}: {error}")
    head = read_head(scope, tokens, 3)
    if state.powerdns:
        tokens[head.rdata_index :] = _as_there(head.rrtype, tokens[head.rdata_index :])
    else:
        _tell(scope, head, tokens)
    try:
        state.spending.take(GENERATED, len(numbers))
        state.spending.records(len(state.zone.records) + len(numbers))
        _make(scope, entry, head, numbers)
    except OverLimit as error:
        raise state.over(scope.place(tokens[1]), error) from error


def _as_there(rrtype: int, templates: Sequence[Token]) -> list[Token]:
    """RDATA as PowerDNS takes it: blanks in a row are one, in strings too, and TXT without quotes
    is one string."""
    if not templates or (rrtype == rr.LUA and templates[-1].names_file):
        return list(templates)
    made = [field._replace(text=_BLANKS.sub(b" ", field.text)) for field in templates]
    if rrtype == rr.TXT and not any(field.quoted for field in made):
        return [made[0]._replace(text=b" ".join([field.text for field in made]))]
    return made


def _tell(scope: FileScope, head: Head, tokens: Sequence[Token]) -> None:
    """Tell what PowerDNS would read otherwise."""
    for at, token in enumerate(tokens[2:], 2):
        found = _OTHERWISE.search(token.text)
        if found and not (at > head.rdata_index and tokens[at - 1].names_file):
            scope.differs(
                token,
                f"{shown(found[0])} in $GENERATE means another thing on PowerDNS",
                "it takes each $ for the number, has no n and N, and undoes escapes before it reads"
                " the record",
                f"write the records one by one; {SETTING} reads it as PowerDNS does",
                is_error=False,
            )
            return


def _make(scope: FileScope, entry: Entry, head: Head, numbers: Sequence[int]) -> None:
    state, tokens = scope.state, entry.tokens
    templates = tokens[head.rdata_index :]
    make_fields = _fields_maker(scope, head.rrtype, templates)
    # Faults of Lua code have their places within a field.
    with_parts = head.rrtype == rr.LUA and len(templates) > 1
    weight = CODE_WEIGHT if head.rrtype == rr.LUA else 1
    leading = list(tokens[: head.rdata_index])
    place = pack(scope.file_index, tokens[0].line, tokens[0].column)
    for number in numbers:
        at = tokens[2]
        try:
            owner = at._replace(text=substitute(at.text, number, powerdns=state.powerdns))
            at = tokens[min(head.rdata_index, len(tokens) - 1)]
            fields = leading + make_fields(number)
        except BadTemplate as error:
            scope.fail(at, "bad-generate", f"{shown(at.text)}: {error}")
        read_owner(scope, owner, warn=number == numbers[0])
        parts = (
            [_parts(field, number, powerdns=state.powerdns) for field in templates]
            if with_parts
            else None
        )
        rdata = read_rdata(scope, head.rrtype, fields, head.rdata_index, parts)
        ttl = choose_ttl(scope, head, rdata, tokens)
        if scope.owner is None:
            return
        state.spending.take(OCTETS, len(rdata) * weight)
        state.zone.records.append((scope.owner, head.rrtype, rdata, ttl, place))
    if entry.ignored:
        state.zone.suppressions[place] = entry.ignored


def _fields_maker(
    scope: FileScope, rrtype: int, templates: Sequence[Token]
) -> Callable[[int], list[Token]]:
    """How the RDATA fields of one number are made. BIND takes a single field, in quotes where the
    type needs several (``MX "10 mail$"``, ``HINFO "PC$ Linux"``); those are split here. TXT and SPF
    keep theirs: one string is whole RDATA there, and what PowerDNS makes of it."""
    powerdns = scope.state.powerdns
    if len(templates) == 1 and templates[0].quoted and rrtype not in _TEXT_TYPES:
        only = templates[0]
        template = _ESCAPE.sub(lambda escape: escape[0].replace(b'\\"', b'"'), only.text)

        def split(number: int) -> list[Token]:
            text = substitute(template, number, powerdns=powerdns)
            entry = read_entry(text, 0, only.line, scope.file)
            if entry.faults:
                raise BadTemplate(entry.faults[0].message)
            return [field._replace(line=only.line, column=only.column) for field in entry.tokens]

        return split
    return lambda number: [
        field
        if rrtype == rr.LUA and field.names_file
        else field._replace(text=substitute(field.text, number, powerdns=powerdns))
        for field in templates
    ]


def _parts(template: Token, number: int, *, powerdns: bool) -> list[Token]:
    """The field that ``template`` makes for ``number``, cut where a placeholder was filled in, so
    that each part has the column it comes from."""
    text = template.text
    if (b"$" not in text and not powerdns) or template.names_file:
        return [template]
    parts: list[Token] = []
    start, column = 0, template.column + template.quoted
    ends = [found.end() for found in _PLACEHOLDER.finditer(text) if b"$" in found[0]]
    for end in [*ends, len(text)]:
        part = text[start:end]
        made = substitute(part, number, powerdns=powerdns)
        parts.append(Token(made, False, template.line, column))
        start, column = end, column + len(part.decode("utf-8", "replace"))
    return parts
