"""Zone files (RFC 1035 §5, RFC 2308 §4, RFC 3597 §5) to zones, with every fault and its place.

=========================== ========================================================================
rule                        what
=========================== ========================================================================
``backslash-at-line-end``   an escape without the character it escapes
``bad-directive``           a directive with too few or too many fields
``bad-generate``            a range or placeholder of ``$GENERATE`` that is not well-formed
``bad-origin``              an origin that is no domain name
``bad-owner``               an owner that is no domain name
``bad-rdata``               RDATA that is not well-formed for its type
``bad-ttl``                 a TTL that is none, or over 2**31 - 1
``carriage-return``         a carriage return that ends no line
``class-not-in``            a class other than IN
``control-character``       a control character outside of quotes
``file-unreadable``         a zone file or included file that cannot be read
``include-cycle``           a file that includes itself
``include-depth``           too many files that include each other in a row
``include-outside``         an ``$INCLUDE`` of a file outside of the project
``include-unreadable``      an ``$INCLUDE`` of what is no path
``lua-file-empty``          a ``$FILE`` without code in it
``lua-file-outside``        a ``$FILE`` outside of the project
``lua-file-too-large``      a ``$FILE`` over 65536 octets
``lua-file-unreadable``     a ``$FILE`` that cannot be read
``lua-not-transferable``    code of a LUA record that no rewriting gets to secondaries whole
``lua-syntax``              code of a LUA record that is not Lua 5.1
``name-not-ascii``          an owner with octets over 127 (a warning)
``not-utf-8``               a file in UTF-16
``out-of-zone``             an owner that is not at or below the apex
``owner-missing``           a first record without owner
``suppression-unclear``     a comment to lzc that says nothing known (a warning)
``too-many-faults``         reading was given up
``ttl-missing``             a record without TTL, and none to take instead
``type-missing``            an entry that ends before an RR type, or has a string there
``type-not-data``           an RR type of queries and messages
``unbalanced-parenthesis``  a parenthesis without its other half
``unclosed-string``         a string that does not end on its line
``unknown-directive``       a directive that is none
``unknown-type``            an RR type that is none
=========================== ========================================================================
"""

from __future__ import annotations

from pathlib import Path

from lzc.source import inputs
from lzc.source.bulk import read_lines
from lzc.source.collector import collector_paused
from lzc.source.directives import read_directive
from lzc.source.files import Found
from lzc.source.halves import MIN_OCTETS, read_in_halves
from lzc.source.lexer import Entry, Token, shown
from lzc.source.records import read_owner, read_record
from lzc.source.state import FileScope, ReadState, TooManyFaults
from lzc.wire.name import InvalidName
from lzc.zone.model import BLANKS_BETWEEN_STRINGS, Zone
from lzc.zone.place import Fault, Place


def read_zone(
    path: Path,
    apex: bytes,
    *,
    shown_as: str | None = None,
    root: Path | None = None,
    insert_whitespace: bool = True,
    in_halves: bool = False,
) -> tuple[Zone, list[Fault]]:
    """Read a zone file and what it includes.

    ``apex`` is the zone's name, a lower-case wire name, and the first origin. Places name the file
    ``shown_as`` (default: ``path``). ``root`` is the project's folder, which ``$INCLUDE`` and
    ``$FILE`` may not leave (default: the file's own folder). ``insert_whitespace`` says how several
    strings of a LUA record are meant: as `LuaRecord.join` joins them. ``in_halves`` lets a second
    process read half of a large file, which changes nothing else. Returns the records in the order
    of the file, with whatever is wrong; with an error among the faults the zone is not
    complete. Never raises for what the files say.
    """
    resolved = path.resolve()
    state = ReadState(Zone(apex), (root or resolved.parent).resolve())
    state.lua_join = BLANKS_BETWEEN_STRINGS if insert_whitespace else b""
    label = shown_as if shown_as is not None else str(path)
    scope = FileScope(label, -1, state.names(apex), resolved.parent)
    with collector_paused():
        try:
            reader = _Reader(state, in_halves=in_halves)
            reader.open_file(scope, Found(resolved, label, str(path)), Place(label))
        except TooManyFaults:
            _give_up(state, label)
    return state.zone, state.faults


def read_zone_text(
    text: bytes, apex: bytes, file_name: str, *, insert_whitespace: bool = True
) -> tuple[Zone, list[Fault]]:
    """As `read_zone`, for text that came from elsewhere; it may not name other files.

    ``file_name`` is what places show.
    """
    state = ReadState(Zone(apex))
    state.lua_join = BLANKS_BETWEEN_STRINGS if insert_whitespace else b""
    scope = FileScope(file_name, -1, state.names(apex))
    with collector_paused():
        try:
            _Reader(state).read_text(scope, text)
        except TooManyFaults:
            _give_up(state, file_name)
    return state.zone, state.faults


def _give_up(state: ReadState, file: str) -> None:
    state.faults.append(
        Fault(
            Place(file),
            "too-many-faults",
            f"given up after {state.errors} errors",
            fix="check that this is a zone file",
        )
    )


class _Reader:
    """Hands the entries of one zone's files to those who understand them."""

    __slots__ = ("in_halves", "state")

    def __init__(self, state: ReadState, *, in_halves: bool = False) -> None:
        self.state = state
        self.in_halves = in_halves

    def open_file(self, scope: FileScope, found: Found, asked_at: Place) -> None:
        """Read a file in ``scope``; report at ``asked_at`` when it cannot be read."""
        path, label, named = found
        try:
            if path.exists() and not path.is_file():
                raise OSError("it is not a file")
            text, read = inputs.read(named, path)
        except OSError as error:
            self.state.report(
                asked_at,
                "file-unreadable",
                f"{label} cannot be read: {error.strerror or error}",
                fix="correct the path, or make the file readable",
            )
            return
        self.state.zone.inputs.append(read)
        self.state.open_files.append(path)
        # What a file includes goes on from its state, and it from theirs.
        self.in_halves &= len(self.state.open_files) == 1
        self.read_text(scope, text)
        self.state.open_files.pop()

    def read_text(self, scope: FileScope, text: bytes) -> None:
        """Read a file's text in ``scope``."""
        files = self.state.zone.files
        if scope.file not in files:
            files.append(scope.file)
        scope.file_index = files.index(scope.file)
        if text.startswith((b"\xff\xfe", b"\xfe\xff")):
            self.state.report(
                Place(scope.file, 1, 1),
                "not-utf-8",
                "the file is UTF-16, not ASCII or UTF-8",
                fix="save it as UTF-8",
            )
            return
        if self.in_halves and len(text) >= MIN_OCTETS:
            read_in_halves(self.state, scope, text, self.on_entry)
        else:
            read_lines(self.state, scope, text, self.on_entry)

    def on_entry(self, scope: FileScope, entry: Entry) -> None:
        """Read what one entry says."""
        tokens = entry.tokens
        for remark in entry.remarks:
            self._warn_remark(scope, remark)
        if entry.faults:
            for fault in entry.faults:
                self.state.add(fault)
            if tokens and not entry.blank:
                self._recover_owner(scope, entry)
        elif not tokens:
            return
        elif tokens[0].text[:1] == b"$" and not entry.blank and not tokens[0].quoted:
            read_directive(self.state, scope, entry, self.open_file)
        else:
            read_record(self.state, scope, entry)

    def _warn_remark(self, scope: FileScope, remark: Token) -> None:
        self.state.warn(
            scope.place(remark),
            "suppression-unclear",
            f"the comment tells lzc {shown(remark.text)}, which means nothing",
            "what it was meant to suppress is reported all the same",
            "write: ; lzc: ignore RULE, RULE",
        )

    def _recover_owner(self, scope: FileScope, entry: Entry) -> None:
        """Lines that follow a broken record with a blank owner mean its owner all the same."""
        token = entry.tokens[0]
        if token.quoted or token.text[:1] == b"$":
            return
        try:
            scope.names.key(token.text)
        except InvalidName:
            scope.owner, scope.owner_known = None, True
            return
        read_owner(self.state, scope, token)
