"""Everything a worker answers from while one bundle is live; a reload makes another of these."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from lzc.answer.refusal import Reason
from lzc.answer.settings import ResponderSettings
from lzc.answer.transfer import TransferPlan, open_transfer
from lzc.answer.transfer_access import TransferAccess
from lzc.answer.zone import SigningFailure
from lzc.bundle.reader import Bundle
from lzc.config import Config
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.cache import SignatureCache, window
from lzc.foreign_text import shown
from lzc.forms.published import PublishedForms
from lzc.lua.engine.execution import EngineSettings
from lzc.serve.ipc.health_view import TableView
from lzc.serve.ipc.octet_ring import OctetRing
from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.ipc.sent_settings import config_of, document_of
from lzc.serve.observe.log_format import about
from lzc.serve.observe.log_lines import LineLimit, Quiet
from lzc.serve.observe.transfer_report import BROKEN_OFF, DONE, Event, TransferReport
from lzc.serve.observe.zone_transfers import Measure
from lzc.serve.transport.sockets import Listener, TlsListener
from lzc.serve.worker.answering import answering, lua_parts
from lzc.serve.worker.geo_files import open_geo
from lzc.serve.worker.keyring import Secrets, Signers
from lzc.serve.worker.quarantine import Marks, Quarantine
from lzc.serve.worker.right_time import earliest
from lzc.serve.worker.token_thread import TokenThread
from lzc.wire import name as wire_name
from lzc.wire.tsig import TsigKey

if TYPE_CHECKING:
    from lzc.answer.tls_client import TlsClient
    from lzc.config.tls_material import TlsMaterial
    from lzc.serve.transport.tls import TlsContext

log = logging.getLogger("lzc")

EAGER_ZONES: Final = 256
KEYS_KEPT: Final = 60.0
"""Seconds that signed answers are kept at most: a key may become active or retire meanwhile."""
RETRY: Final = 5.0
"""Seconds after which zones without usable keys are tried again."""
_LEVELS: Final = {
    **dict.fromkeys((0, 1, 2, 3), logging.ERROR),
    4: logging.WARNING,
    **dict.fromkeys((5, 6), logging.INFO),
}


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker is given at birth, for good; ``proven`` is code that ran to its end, and what
    comes and goes is put into the ``ring`` where somebody records it. ``tokens`` does what is done
    with them, whose libraries a process has once."""

    verified_dir: Path
    listeners: tuple[Listener, ...]
    slot: Slot
    health: TableView
    proven: Marks
    ring: OctetRing
    tokens: TokenThread = field(default_factory=TokenThread)
    tls_listeners: tuple[TlsListener, ...] = ()

    def all_listeners(self) -> tuple[Listener | TlsListener, ...]:
        """Whatever takes connections."""
        return (*self.listeners, *self.tls_listeners)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is to answer from: the ``folder`` of a bundle, and beside it nothing that it
    read by itself, which could keep it from being ready as soon as the others are. ``secrets`` are
    those of the settings in ``config``; ``quarantine``: what it must not run; ``geo``:
    databases."""

    folder: Path
    config: Config
    secrets: Secrets
    quarantine: Quarantine = field(default_factory=Quarantine)
    geo: Sequence[Path] = ()
    tls: TlsMaterial | None = None

    def to_message(self) -> dict[str, Any]:
        """For a worker, who needs neither faults of secrets nor names of what is in quarantine."""
        keys = self.secrets.tsig.values()
        return {
            "folder": str(self.folder),
            "config": document_of(self.config),
            "tsig": [[key.name.hex(), key.algorithm, key.secret.hex()] for key in keys],
            "cookie": self.secrets.cookie.hex(),
            "codes": [*self.quarantine.codes],
            "zones": [apex.hex() for apex in self.quarantine.zones],
            "geo": [str(path) for path in self.geo],
            "tls": None if self.tls is None else self.tls.to_message(),
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """What `to_message` gave."""
        octets = bytes.fromhex
        keys = [TsigKey(octets(name), how, octets(secret)) for name, how, secret in message["tsig"]]
        return cls(
            Path(message["folder"]),
            config_of(message["config"]),
            Secrets({key.name: key for key in keys}, octets(message["cookie"])),
            Quarantine(dict.fromkeys(message["codes"], ""), set(map(octets, message["zones"]))),
            [Path(one) for one in message["geo"]],
            None if message["tls"] is None else _material(message["tls"]),
        )


def _material(message: list[str]) -> TlsMaterial:
    # Here, as most servers have none.
    from lzc.config.tls_material import TlsMaterial

    return TlsMaterial.from_message(message)


def _tls_context(assigned: Assignment) -> TlsContext | None:
    if assigned.tls is None:
        return None
    from lzc.serve.transport.tls import TlsContext

    return TlsContext(assigned.tls, ask=assigned.config.asks_for_certificates)


class Serving:
    """A bundle, opened, with what is derived from it and from the secrets beside it; ``report``
    takes what becomes of transfers, ``settings`` are those of ``[serve]``. Raises `BundleError`
    when it is not usable."""

    def __init__(
        self,
        setup: WorkerSetup,
        assigned: Assignment,
        signatures: SignatureCache,
        report: TransferReport,
    ) -> None:
        config, secrets = assigned.config, assigned.secrets
        self.config, self.settings = config, config.serve
        self.report = report
        self._keys = secrets.tsig
        self._access = TransferAccess.from_config(config)
        self.bundle = Bundle.open(assigned.folder, verified_dir=setup.verified_dir)
        self._said, self._failures = RecordLog(), FailureLog()
        engine = planner = None
        if config.runs_lua:
            settings = EngineSettings.from_config(config.lua)
            seed = int.from_bytes(os.urandom(4), "big")
            chance = random.Random(seed).random
            geo = open_geo(assigned.geo)
            engine, planner = lua_parts(
                settings, self.bundle, geo, setup.health, self._said, seed, chance
            )
        self.published = PublishedForms(config.output)
        self.signers = Signers(
            self.bundle,
            Keystore.of(config, setup.tokens),
            signatures,
            not_before=earliest(self.bundle.path),
        )
        self.responder, self.guard = answering(
            self.bundle,
            ResponderSettings.from_config(
                config,
                cookie_secret=secrets.cookie,
                tsig_keys=secrets.tsig,
                published=self.published,
            ),
            self.signers,
            self.signers.out,
            setup.slot,
            self._failures,
            engine=engine,
            planner=planner,
            shares=config.lua.time_limit > 0,
            quarantine=assigned.quarantine,
            proven=setup.proven,
            refused=report.refused,
            sent=report.sent,
        )
        self.tls = _tls_context(assigned)
        self._retry_at = 0.0
        self.transfers = 0

    def valid_until(self, now: float) -> float:
        """When answers made at ``now`` must be made anew."""
        return min(window(now).valid_until, now + KEYS_KEPT)

    def open_transfer(
        self, query: bytes, client: bytes, now: float, tls: TlsClient | None
    ) -> CountedTransfer | bytes | None:
        """What to do about an AXFR or IXFR request; see `lzc.answer.transfer.open_transfer`."""
        opened = open_transfer(
            self.bundle,
            self._access,
            self._keys,
            query,
            client,
            now,
            clock=time.time,
            report=self.report.refused,
            tls=tls,
            sent=self.report.sent,
            published=self.published,
            idle=self.settings.tcp_idle_timeout,
        )
        self._tell_damage()
        if not isinstance(opened, TransferPlan):
            return opened
        self.transfers += 1
        return CountedTransfer(self, opened, client, tls=tls is not None)

    def _tell_damage(self) -> None:
        """Tell of deltas that are not what was written."""
        problems = self.bundle.deltas.problems
        while problems:
            log.warning("IXFR: %s: secondaries get whole zones instead", shown(problems.pop(0)))

    def load_keys(self) -> Iterator[None]:
        """Read the private keys of a bundle with few zones, one zone a step, so that what is wrong
        with them is known before the first answer. Of more zones they are read when first asked
        for. What is wrong with those of one zone concerns that zone: see `Signers.out`."""
        if len(self.bundle) > EAGER_ZONES:
            return
        for info in self.bundle.zones():
            self.signers.load(info)
            yield

    def tell_held(self, now: float) -> None:
        """Tell of lines that were kept out of the log, once their time is over; ``now`` is
        monotonic."""
        self._said.look(now)
        self._failures.look(now)
        self._tell_damage()

    def look_at_keys(self, now: float) -> bool:
        """See which zones went out of service, as their keys retired, and which are back; true
        where one did, and answers that were kept are to go. To be called every second."""
        changed = self.signers.look(now)
        if not self._retry_at - RETRY <= now < self._retry_at:
            self._retry_at = now + RETRY
            changed |= self.signers.retry(now)
        self.responder.forget(changed)
        return bool(changed)


_ANCOUNT: Final = slice(8, 10)
"""Where a message behind its length says how many records its answer section has."""


class CountedTransfer:
    """A transfer that keeps its bundle open until it is closed, and is told of then."""

    def __init__(self, serving: Serving, plan: TransferPlan, client: bytes, *, tls: bool) -> None:
        self._serving = serving
        self._plan = plan
        self._client = client
        self.key = plan.key
        self.octets = plan.octets
        self.transport = "tls" if tls else "tcp"
        self._became = ""
        self._began = 0.0
        self._octets = self._records = 0

    def messages(self) -> Iterator[bytes]:
        """The messages, each with its 16-bit length in front."""
        self._became, self._began = BROKEN_OFF, time.monotonic()
        for message in self._plan.messages():
            if message and not self._octets:
                self._note_line()
            self._octets += len(message)
            self._records += int.from_bytes(message[_ANCOUNT], "big")
            yield message
        self._became = DONE

    def at_once(self) -> bytes | None:
        """The only message, without its length, where it is an answer like any other."""
        message = self._plan.at_once()
        if message is not None:
            self._became, self._began = BROKEN_OFF, time.monotonic()
            self._note_line()
            self._octets = 2 + len(message)
            self._records = message[6] << 8 | message[7]
        return message

    def done(self) -> None:
        """All that `at_once` gave is with the kernel."""
        self._became = DONE

    def _note_line(self) -> None:
        # What is sent is known with the first message.
        plan = self._plan
        self._serving.report.begun.note(
            plan.apex, plan.serial, self._client, plan.key, plan.kind, self.transport
        )

    def refuse(self, now: float) -> bytes:
        """SERVFAIL in its place."""
        self._became = Reason.NO_ROOM.value
        return self._plan.refuse(now)

    def close(self) -> None:
        """Let go of the bundle, whether or not all was sent."""
        plan = self._plan
        if self._became:
            seconds = time.monotonic() - self._began
            took = Measure(self.transport, round(seconds, 6), self._octets, self._records)
            self._serving.report.note(
                Event(
                    self._became,
                    self._client,
                    plan.asked,
                    plan.apex,
                    plan.key,
                    serial=plan.serial,
                    lua=plan.lua,
                    kind=plan.kind.value,
                ),
                took if self._became == DONE else None,
            )
        plan.close()
        self._serving.transfers -= 1


class FailureLog:
    """Says why an answer was SERVFAIL: once a minute for each query name, some lines a second at
    most (behind a wildcard every query has another name). Of a zone that is out of service the
    supervisor tells."""

    def __init__(self) -> None:
        self._quiet = Quiet()
        self._lines = LineLimit("SERVFAIL: %d more names like it")

    def __call__(self, qname: bytes, error: Exception) -> None:
        """Log ``error`` unless the same name was logged lately."""
        if isinstance(error, SigningFailure):
            return
        now = time.monotonic()
        name = qname.lower()
        if self._quiet.keeps(name, now):
            return
        again = self._quiet.begin(name, now)
        if self._lines.admits(now):
            text = wire_name.to_text(name)
            why = shown(error)
            extra = about(qname=text, rcode="SERVFAIL", reason=str(error))
            log.warning("SERVFAIL for %s: %s%s", text, why, again, extra=extra)

    def look(self, now: float) -> None:
        """Tell of answers that were not, once their time is over; ``now`` is monotonic."""
        self._lines.look(now)
        for name, more in self._quiet.over(now):
            if self._lines.admits(now):
                text = wire_name.to_text(name) if isinstance(name, bytes) else "other names"
                extra = about(qname=text, rcode="SERVFAIL", more=more)
                log.warning("SERVFAIL for %s: %d more like it", text, more, extra=extra)


class RecordLog:
    """Takes what LUA records say with ``pdnslog``, some lines a second at most."""

    def __init__(self) -> None:
        self._lines = LineLimit("LUA: %d more lines")

    def __call__(self, text: str, level: int) -> None:
        """Log a line of a record; ``level`` as in syslog, 1 (alert) to 7 (debug)."""
        severity = _LEVELS.get(level, logging.DEBUG)
        if log.isEnabledFor(severity) and self._lines.admits(time.monotonic()):
            log.log(severity, "LUA: %s", shown(text))

    def look(self, now: float) -> None:
        """Tell of lines that were left out, once their time is over; ``now`` is monotonic."""
        self._lines.look(now)
