"""A real server on a free port of the loopback, in processes of its own, for tests."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dns.message
import dns.query

from lzc.bundle import current, writer
from lzc.bundle.zone_info import ZoneKey
from lzc.compiler.lua.plans import plan_zone
from lzc.compiler.lua.programs import Programs
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.dnssec.signing.denial import NSEC_CHAIN, Denial
from lzc.health_check import Check
from lzc.image.compile import compile_zone
from lzc.lua.health.constants import of_checks
from lzc.lua.plan import checks_in
from lzc.powerdns_versions import LATEST, Version
from lzc.serve.supervise import control
from lzc.wire import name as wire_name
from tests.patience import PATIENCE, SOON
from tests.unit.forked import Forked
from tests.unit.zone_text import read_zone_text

TSIG_NAME = "transfer.example."
TSIG_SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="

UNHURRIED = "[lua]\nenable = true\ntime-limit = 0\n"
"""Settings for tests that are not about time: no record rests, however slow the machine."""

HEAD = """\
$TTL 3600
@ SOA ns1 hostmaster {serial} 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
"""

_IMPORTS = """
import json, sys
from pathlib import Path
from lzc import config as settings
from lzc.faults import InputError
from lzc.serve.notify.secondary import NotifyTimes
from lzc.serve.observe import log_output
from lzc.serve.supervise import ahead, start
from lzc.serve.supervise.settings_in_force import ServeOptions
ahead.for_workers()
ahead.for_all()
"""
_MAIN = """
log_output.set_up("%(levelname)s %(message)s")
args = json.loads(sys.argv[1])
exec(args["inject"])
config = settings.load(args["config"])
try:
    start.run(ServeOptions(
        config=config,
        source=Path(args["source"]),
        listen=args["listen"],
        workers=args["workers"] or config.serve.workers,
        ready=lambda line: print(line, file=sys.stderr, flush=True),
        watchdog=args["watchdog"],
        notify_times=NotifyTimes(0.1, 0.5, 0.05, patience=0.5),
    ))
except InputError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
"""


class Project:
    """A folder with ``lzc.toml``, keys, and bundles made from text."""

    def __init__(self, folder: Path, toml: str = "") -> None:
        self.folder = folder
        self.output = folder / "build"
        self.output.mkdir()
        self.config = folder / "lzc.toml"
        # Tests have no other targets than those on loopback, and the code of many computes which.
        health = "" if "[health]" in toml else '[health]\nallow = ["127.0.0.0/8", "::1/128"]\n'
        self.config.write_text(f'[tsig."{TSIG_NAME}"]\nsecret = "{TSIG_SECRET}"\n{health}{toml}')

    def build(
        self,
        zones: Mapping[str, str],
        *,
        serial: int = 1,
        signed: Iterable[str] = (),
        checks: Iterable[Check] = (),
        powerdns: Version = LATEST,
        denial: Denial = NSEC_CHAIN,
        algorithm: int = 13,
        head: str = HEAD,
    ) -> str:
        """Write a bundle and make it the live one; returns its id."""
        compiled = []
        constants = {}
        for number, (name, text) in enumerate(zones.items()):
            apex = wire_name.from_text(name, wire_name.ROOT)
            whole = head.format(serial=serial) + text
            zone, faults = read_zone_text(whole.encode(), apex, f"{name}.zone")
            assert {fault.rule for fault in faults} <= {"powerdns-reads-otherwise"}, faults
            zone.records.sort()
            public = self._keys(apex, algorithm) if name in signed else []
            draft = compile_zone(
                zone,
                number,
                signed=bool(public),
                lua=True,
                keys=public,
                powerdns=powerdns,
                blanks=True,
                denial=denial,
            )
            programs = Programs(zone, insert_whitespace=True, version=powerdns)
            plans, _, of_code, _ = plan_zone(programs)
            constants[apex] = of_checks(one for plan in plans.values() for one in checks_in(plan))
            constants[apex] |= of_code
            compiled.append(replace(draft.finish(draft.info.serial), plans=plans))
        with current.locked(self.output):
            return writer.write(
                self.output,
                compiled,
                list(checks),
                version="test",
                inputs={},
                constants=constants,
            )

    def _keys(self, apex: bytes, algorithm: int) -> list[ZoneKey]:
        keystore = Keystore(self.folder / "keys")
        keys = keystore.load(apex) or keystore.generate(apex, algorithm, FLAGS["csk"], time.time())
        return [ZoneKey(key.tag, key.algorithm, key.flags, key.dnskey) for key in keys]


class LiveServer:
    """``with LiveServer(project) as server``: serving when the block begins, gone after it."""

    def __init__(
        self,
        project: Project,
        *,
        workers: int | None = 1,
        listen: list[str] | None = None,
        watchdog: float = 3.0,
        inject: str = "",
    ) -> None:
        """``workers`` `None`: as the file says. ``inject`` is Python that the server runs first,
        to have things go wrong in it."""
        self.project = project
        self.log: list[str] = []
        args = {
            "config": str(project.config),
            "source": str(project.output),
            "listen": listen or ["127.0.0.1:0"],
            "workers": workers,
            "watchdog": watchdog,
            "inject": inject,
        }
        self.process = Forked(_IMPORTS, _MAIN, json.dumps(args))
        self.reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self.reader.start()
        # One that is killed as soon as it serves said so before: what it wrote may not be read yet.
        self.wait_for(lambda: self.port or self._ended())
        assert self.port, self.log
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _ended(self) -> bool:
        return self.process.poll() is not None and not self.reader.is_alive()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.log.append(line.rstrip())

    @property
    def port(self) -> int:
        """The port of the first address, once the server is ready."""
        for line in self.log:
            found = re.match(r"lzc: serving bundle \S+ \(\d+ zones\) on \S*?:(\d+)[, ]", line)
            if found:
                return int(found[1])
        return 0

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the server; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return code

    def hang_up(self) -> None:
        os.kill(self.process.pid, signal.SIGHUP)

    def ask(
        self, name: str, qtype: str = "A", *, tcp: bool = False, **options: Any
    ) -> dns.message.Message:
        query = dns.message.make_query(name, qtype, **options)
        send = dns.query.tcp if tcp else dns.query.udp
        return send(query, "127.0.0.1", timeout=PATIENCE, port=self.port)

    def answers(self, name: str, qtype: str = "A", *, tcp: bool = False) -> list[str]:
        """The RDATA of the answer section, sorted."""
        message = self.ask(name, qtype, tcp=tcp)
        return sorted(str(rdata) for rrset in message.answer for rdata in rrset)

    def control(self, do: str, **arguments: str | float) -> dict[str, Any]:
        return control.ask(self.project.output / "control.sock", do, **arguments)

    def wait_for(self, condition: Callable[[], object], seconds: float = PATIENCE) -> Any:
        """Wait until a condition holds, and return what it gave; fails with the server's log."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "\n".join(self.log)
            time.sleep(SOON)
        return found

    def logged(self, text: str) -> bool:
        return any(text in line for line in self.log)


def udp_socket(port: int) -> socket.socket:
    """A UDP socket that talks to the server only."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", port))
    return sock


def query_wire(name: str, qtype: str = "A", ident: int = 1) -> bytes:
    message = dns.message.make_query(name, qtype)
    message.id = ident
    return message.to_wire()
