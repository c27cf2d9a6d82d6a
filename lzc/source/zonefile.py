"""Zone files (RFC 1035 §5, RFC 2308 §4, RFC 3597 §5) to zones, with every fault and its place.

============================ =======================================================================
rule                         what
============================ =======================================================================
``backslash-at-line-end``    an escape without the character it escapes
``bad-directive``            a directive with too few or too many fields
``bad-generate``             a range or placeholder of ``$GENERATE`` that is not well-formed
``bad-origin``               an origin that is no domain name
``bad-owner``                an owner that is no domain name
``bad-rdata``                RDATA that is not well-formed for its type
``bad-ttl``                  a TTL that is none, or over 2**31 - 1
``carriage-return``          a carriage return that ends no line
``class-not-in``             a class other than IN
``control-character``        a control character outside of quotes
``file-unreadable``          a zone file or included file that cannot be read
``include-cycle``            a file that includes itself
``include-depth``            too many files that include each other in a row
``include-hidden``           an ``$INCLUDE`` of a hidden file, or of one in a hidden folder
``include-no-zone``          an ``$INCLUDE`` of a file that holds no part of a zone
``include-not-listed``       an ``$INCLUDE`` from a folder that ``include-from`` does not list
``include-outside``          an ``$INCLUDE`` of a file outside of the project
``include-secret``           an ``$INCLUDE`` of a secret, key, bundle, or configuration
``include-unreadable``       an ``$INCLUDE`` of what is no path
``lua-file-empty``           a ``$FILE`` without code in it
``lua-file-hidden``          a ``$FILE`` that is hidden, or in a hidden folder
``lua-file-not-listed``      a ``$FILE`` in a folder that ``include-from`` does not list
``lua-file-outside``         a ``$FILE`` outside of the project
``lua-file-secret``          a ``$FILE`` that is a secret, key, bundle, or configuration
``lua-file-too-large``       a ``$FILE`` over 65536 octets
``lua-file-unreadable``      a ``$FILE`` that cannot be read
``lua-not-transferable``     code of a LUA record that no rewriting gets to secondaries whole
``lua-syntax``               code of a LUA record that is not Lua 5.1
``name-not-ascii``           an owner with octets over 127 (a warning)
``not-utf-8``                a file in UTF-16
``out-of-zone``              an owner that is not at or below the apex
``over-limit``               more than a zone, or all zones of a build, may take
``owner-missing``            a first record without owner
``powerdns-reads-otherwise`` what PowerDNS reads otherwise (an error or a warning)
``source-no-zone``           a symbolic link to a file that holds no zone
``source-secret``            a source that is a secret, key, bundle, or configuration
``suppression-unclear``      a comment to lzc that says nothing known (a warning)
``too-many-faults``          reading was given up
``ttl-missing``              a record without TTL, and none to take instead
``type-missing``             an entry that ends before an RR type, or has a string there
``type-not-data``            an RR type of queries and messages
``unbalanced-parenthesis``   a parenthesis without its other half
``unclosed-string``          a string that does not end on its line
``unknown-directive``        a directive that is none
``unknown-type``             an RR type that is none
============================ =======================================================================
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple, Self

from lzc.faults import Fault, Place, Severity
from lzc.source import inputs
from lzc.source.bulk import read_lines
from lzc.source.collector import collector_paused
from lzc.source.dialect import DEFAULT_TTL
from lzc.source.directives import read_directive
from lzc.source.files import Found, refuse
from lzc.source.halves import MIN_OCTETS, read_in_halves
from lzc.source.hints import fill_in
from lzc.source.lexer import Entry, Token, shown
from lzc.source.limits import INCLUDES, OCTETS, OVER_LIMIT, REPEATED, Limits, OverLimit, Spending
from lzc.source.reach import Reach, Refused
from lzc.source.records import read_owner, read_record
from lzc.source.state import OTHERWISE, AtFault, FileScope, GivenUp, ReadState, TooManyFaults
from lzc.wire.name import InvalidName
from lzc.zone.model import BLANKS_BETWEEN_STRINGS, Zone


def read_zone(
    path: Path,
    apex: bytes,
    *,
    shown_as: str | None = None,
    root: Path | None = None,
    insert_whitespace: bool = True,
    powerdns: bool = False,
    in_halves: bool = False,
    reach: Reach | None = None,
    spending: Spending | None = None,
) -> tuple[Zone, list[Fault]]:
    """Read a zone file and what it includes.

    ``apex`` is the zone's name, a lower-case wire name, and the first origin. Places name the file
    ``shown_as`` (default: ``path``). ``reach`` says what may be read (default: all that is not
    hidden in ``root``, and that is the file's own folder unless said); ``spending`` bounds and
    counts what is taken, and may stop reading. ``insert_whitespace`` says how several
    strings of a LUA record are meant: as `LuaRecord.join` joins them. With ``powerdns`` files are
    read as PowerDNS reads them (`lzc.source.dialect`). ``in_halves`` lets a second process read
    half of a large file, which changes nothing else. Returns the records in the order
    of the file, with whatever is wrong; with an error among the faults the zone is not
    complete. Never raises for what the files say.
    """
    resolved = path.resolve()
    state = ReadState(
        Zone(apex),
        reach or Reach.whole(root or resolved.parent),
        spending or Spending(Limits()),
        BLANKS_BETWEEN_STRINGS if insert_whitespace else b"",
        in_halves=in_halves,
        powerdns=powerdns,
    )
    if powerdns:
        state.last_ttl = DEFAULT_TTL
    label = shown_as if shown_as is not None else str(path)
    scope = FileScope(state, label, state.names(apex), resolved.parent)
    with collector_paused():
        try:
            _open_file(scope, Found(resolved, label, str(path)), Place(label))
        except TooManyFaults:
            message = f"given up after {state.errors} errors"
            fix = "check that this is a zone file"
            state.faults.append(Fault(Place(label), "too-many-faults", message, fix=fix))
        except (AtFault, GivenUp):
            pass
        fill_in(state)
    return state.zone, state.faults


_NOT_LINT: Final = frozenset((OTHERWISE,))
"""Rules that comments may suppress, and that the linter does not have."""
_WITHOUT_CONTENT: Final = frozenset(("not-utf-8", OVER_LIMIT))
"""Rules whose faults show nothing of the file."""


class _Before(NamedTuple):
    """How much there was before a file was read."""

    faults: int
    errors: int
    records: int
    directives: int
    lua_sources: int
    suppressions: int

    @classmethod
    def of(cls, state: ReadState) -> Self:
        zone = state.zone
        return cls(
            len(state.faults),
            state.errors,
            len(zone.records),
            state.directives,
            len(zone.lua_sources),
            len(zone.suppressions),
        )

    def is_no_zone(self, state: ReadState) -> bool:
        """Whether what was read since has more errors than records and directives."""
        right = len(state.zone.records) - self.records + state.directives - self.directives
        return state.errors - self.errors > right

    def restore(self, state: ReadState) -> None:
        """Forget what was found since."""
        zone = state.zone
        del state.faults[self.faults :]
        state.errors = self.errors
        del zone.records[self.records :]
        while len(zone.lua_sources) > self.lua_sources:
            zone.lua_sources.popitem()
        while len(zone.suppressions) > self.suppressions:
            zone.suppressions.popitem()


def _open_file(scope: FileScope, found: Found, asked_at: Place) -> None:
    """Read a file in ``scope``. Raises `AtFault`, reported at ``asked_at``, when it cannot be read,
    and `GivenUp`."""
    state = scope.state
    path, label, named = found
    included = bool(state.open_files)
    try:
        state.spending.take(INCLUDES, included)
        text, read = inputs.read(named, path, state.spending.left(OCTETS) + 1, state.reach)
        state.spending.take(OCTETS, len(text))
        if path in state.included:
            state.spending.take(REPEATED, len(text))
    except OverLimit as error:
        raise state.over(asked_at, error) from error
    except Refused as error:
        rule, name = ("include", label) if included else ("source", "it")
        refuse(scope, asked_at, rule, name, error.refusal)
    except OSError as error:
        scope.fail(
            asked_at,
            "file-unreadable",
            f"{label} cannot be read: {error.strerror or error}",
            fix="correct the path, or make the file readable",
        )
    state.included.add(path)
    state.zone.inputs.append(read)
    state.open_files.append(path)
    # What a file includes goes on from its state, and it from theirs.
    state.in_halves &= not included
    before = _Before.of(state)
    given_up: GivenUp | None = None
    try:
        _read_text(scope, text)
    except GivenUp as error:
        given_up = error
    state.open_files.pop()
    # A path in a zone file, or a symbolic link, may lead to any file.
    foreign = included or os.path.normpath(Path(named).absolute()) != str(path)
    withheld = foreign and before.is_no_zone(state)
    if withheld:
        _withhold(scope, before, asked_at, included=included)
    if given_up and not (withheld and isinstance(given_up, TooManyFaults)):
        raise given_up


def _withhold(scope: FileScope, before: _Before, asked_at: Place, *, included: bool) -> None:
    """Say of what was read since that it is no zone, and nothing of what is in it."""
    state = scope.state
    found = state.faults[before.faults :]
    kept = [fault for fault in found if fault.rule in _WITHOUT_CONTENT]
    hidden = [one for one in found if one.severity is Severity.ERROR and one not in kept]
    if not hidden:
        return
    before.restore(state)
    state.faults += kept
    state.errors += len(kept)
    here = [fault.place for fault in hidden if fault.place.file == scope.file]
    scope.report(
        asked_at,
        "include-no-zone" if included else "source-no-zone",
        f"{scope.file} holds no {'part of a ' if included else ''}zone: {len(hidden)} error(s), the"
        f" first at {min(here, default=asked_at)}; nothing of it is shown",
        "it may be a file that was never meant for a zone",
        "correct the path, or the records where it holds some"
        if included
        else "correct where the symbolic link leads",
    )


def _read_text(scope: FileScope, text: bytes) -> None:
    """Read a file's text in ``scope``."""
    files = scope.state.zone.files
    if scope.file not in files:
        files.append(scope.file)
    scope.file_index = files.index(scope.file)
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        scope.report(
            Place(scope.file, 1, 1),
            "not-utf-8",
            "the file is UTF-16, not ASCII or UTF-8",
            fix="save it as UTF-8",
        )
    elif scope.state.in_halves and len(text) >= MIN_OCTETS:
        read_in_halves(scope, text, _on_entry)
    else:
        read_lines(scope, text, _on_entry)


def _on_entry(scope: FileScope, entry: Entry) -> None:
    """Read what one entry says."""
    tokens = entry.tokens
    scope.state.ignored = entry.ignored
    entry.ignored -= _NOT_LINT
    for remark in entry.remarks:
        scope.warn(
            remark,
            "suppression-unclear",
            f"the comment tells lzc {shown(remark.text)}, which means nothing",
            "what it was meant to suppress is reported all the same",
            "write: ; lzc: ignore RULE, RULE",
        )
    try:
        if entry.faults:
            for fault in entry.faults:
                scope.state.add(fault)
            if tokens and not entry.blank:
                _recover_owner(scope, tokens[0])
        elif tokens and tokens[0].text[:1] == b"$" and not entry.blank and not tokens[0].quoted:
            read_directive(scope, entry, _open_file)
        elif tokens:
            read_record(scope, entry)
    except AtFault:
        # It was reported.
        return


def _recover_owner(scope: FileScope, token: Token) -> None:
    """Lines that follow a broken record with a blank owner mean its owner all the same."""
    if token.quoted or token.text[:1] == b"$":
        return
    try:
        scope.names.key(token.text)
    except InvalidName:
        scope.owner, scope.owner_known = None, True
    else:
        read_owner(scope, token)
