"""What is to stand in the database of a PowerDNS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Record(NamedTuple):
    """A row of ``records``; an empty non-terminal has neither type nor content, TTL nor prio."""

    name: str
    type: str | None
    content: str | None
    ttl: int | None
    prio: int | None
    ordername: str | None
    auth: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A row of ``cryptokeys``: ``wanted`` is false of one that is to be there no more."""

    tag: int
    flags: int
    active: bool
    content: str = field(repr=False)
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Domain:
    """A zone: its ``type`` where one is to be made, and its primary; of which other types it may
    be as well; values of metadata, by kind, `None` where there is to be none; its keys where they
    are to be written, and its records where these are."""

    name: str
    type: str
    master: str | None
    metadata: Mapping[str, str | None]
    made: bool = True
    also: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    records: Callable[[], Iterable[Record]] | None = None


@dataclass(frozen=True, slots=True)
class TsigSecret:
    """A row of ``tsigkeys``; without a secret it is not known here, and stays what it is."""

    name: str
    algorithm: str
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Autoprimary:
    """A row of ``supermasters``."""

    address: str
    nameserver: str
    account: str = "lzc"


@dataclass(frozen=True, slots=True)
class State:
    """All of it: what it does not name stays as it is."""

    tsig: tuple[TsigSecret, ...]
    autoprimaries: tuple[Autoprimary, ...]
    domains: tuple[Domain, ...]
