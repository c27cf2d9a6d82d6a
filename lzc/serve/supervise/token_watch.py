"""Whether the keys that lie in tokens are there, found out before anything is to be signed with
them.

The library of a token is somebody else's code. It is loaded in a child, which is kept: so it logs
in once, and gives no wrong PIN twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from lzc.contained import Begin, Contained, Home
from lzc.dnssec.token.library import UNREACHABLE
from lzc.dnssec.token.sessions import Tokens, Unreachable
from lzc.dnssec.token.uri import TokenUri
from lzc.faults import Fault
from lzc.serve.worker.token_thread import TokenThread

SECONDS: Final = 10.0
"""That a token is waited for at a look at it, and seconds of CPU time that this may take."""


class Lying(NamedTuple):
    """Where a key lies, and its algorithm."""

    uri: TokenUri
    algorithm: int


KeysOfZones: TypeAlias = Mapping[str, Sequence[Lying]]
"""The keys in tokens that sign zones, by the names of these."""


class TokenWatch:
    """Looks for keys in ``tokens``, and waits for them no longer than ``SECONDS``. For one thread
    at a time."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._tokens = tokens.waiting_as(TokenThread(SECONDS, rest=0.0))
        self._child: Contained[KeysOfZones, dict[str, tuple[Fault, ...]]] = Contained(
            self._look, seconds=SECONDS
        )

    def look(self, keys: KeysOfZones) -> Mapping[str, tuple[Fault, ...]]:
        """What is wrong with keys, by zone. Raises `lzc.contained.Ended`."""
        return self._child.ask(keys) if keys else {}

    def close(self) -> None:
        """Let go of the tokens."""
        self._child.close()

    def _look(self, keys: KeysOfZones, begin: Begin, _home: Home) -> dict[str, tuple[Fault, ...]]:
        faults: dict[str, tuple[Fault, ...]] = {}
        # One that does not answer is waited for once, not for each key.
        silent: dict[tuple[str | None, ...], tuple[Fault, ...]] = {}
        for number, (zone, lying) in enumerate(keys.items()):
            begin(number)
            found: list[Fault] = []
            for key in lying:
                place = key.uri.place
                about = silent.get(place) or self._reach(key)
                if any(fault.rule == UNREACHABLE for fault in about):
                    silent[place] = about
                found += about
            if found:
                faults[zone] = tuple(dict.fromkeys(found))
        return faults

    def _reach(self, key: Lying) -> tuple[Fault, ...]:
        try:
            self._tokens.reach(key.uri, key.algorithm, anew=True)
        except Unreachable as error:
            return error.faults
        return ()
