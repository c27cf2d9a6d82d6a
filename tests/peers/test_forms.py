"""BIND, NSD and Knot DNS with zones that lzc made for them: signed beforehand, and with LUA records
evaluated. They follow changes by IXFR, what they serve is secure, and no LUA record is ever had."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring
import dns.xfr
import dns.zone
import pytest

from lzc.dnssec import ds
from lzc.dnssec.keystore.keystore import Keystore
from lzc.wire.name import from_text
from tests.patience import PATIENCE
from tests.peers._peers import find, origins, require
from tests.peers._peers import unbound as resolver
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import (
    LOOPBACK,
    Process,
    free_port,
    running,
    serial_at,
    wait_for_zone,
    wait_until,
)
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET
from tests.peers._peers.releases import BIND, KNOT, NSD, OLDEST, Release
from tests.unit import lzc_process

ALL: Final = (*BIND, *NSD, *KNOT)
LUA: Final = dns.rdatatype.RdataType.make(65402)
STILL: Final = "".join(f"f{number} TXT {'x' * 60}\n" for number in range(40))
"""So that a whole zone is longer than what changes in it."""
HEAD: Final = (
    """$TTL 60
@ SOA ns1 hostmaster 1 2 1 1209600 60
@ NS ns1
@ MX 10 Mail
ns1 A 192.0.2.53
*.w TXT wild
a.ent.x A 192.0.2.1
cut NS ns.cut
ns.cut A 192.0.2.5
sec NS ns1.example.net.
sec DS 1 13 2 """
    + "ab" * 32
    + """
dn DNAME example.net.
"""
    + STILL
)
CODE: Final = """lone LUA A "'192.0.2.9'"
pick LUA A "pickrandom({'192.0.2.1','192.0.2.2'})"
who LUA TXT "who:toString()"
*.wild LUA TXT "qname:toString()"
nothing LUA A "{}"
both LUA A "'192.0.2.3'"
both TXT static
"""
ZONES: Final = {
    "nsec.example": ('dnssec = true\ndenial = "nsec"', HEAD),
    "nsec3.example": ('dnssec = true\ndenial = "nsec3"\nnsec3-salt = "aabb"', HEAD),
    "optout.example": ('dnssec = true\ndenial = "nsec3"\nnsec3-opt-out = true', HEAD),
    "compact.example": ('dnssec = true\ndenial = "compact"', HEAD),
    "flat.example": ('dnssec = true\ndenial = "nsec3"', HEAD + CODE),
    "bare.example": ("", HEAD + CODE),
}
SIGNED: Final = [name for name, (settings, _) in ZONES.items() if settings]
OTHER: Final = "other.example."
CLIENT: Final = "192.0.2.99"


class Stage:
    """lzc, and a secondary of each release that is here."""

    def __init__(self, folder: Path) -> None:
        origins.wait()
        self.folder = folder
        (folder / "zones").mkdir(parents=True)
        self.port = free_port()
        self.ports = {release: free_port() for release in ALL if release.present()}
        self.config = folder / "lzc.toml"
        text = (
            f'[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n[serve]\n'
            f'listen = ["{LOOPBACK}:{self.port}"]\nflatten-interval = 1\ntsig-required = false\n'
            f'allow-transfer = ["127.0.0.0/8"]\n'
        )
        for key in (TSIG_NAME, OTHER):
            text += f'[tsig."{key}"]\nsecret = "{TSIG_SECRET}"\n'
        for name, (settings, _) in ZONES.items():
            text += f'[zone."{name}"]\n{settings}\n'
            self.write(name)
        for release, port in self.ports.items():
            text += (
                f'[[secondary]]\nname = "{release}"\naddress = "{LOOPBACK}:{port}"\n'
                f'software = "{release.software}"\ntsig = "{TSIG_NAME}"\n'
                f'flatten-client = "{CLIENT}"\n'
            )
        self.config.write_text(text)
        self.config.chmod(0o600)
        for name in SIGNED:
            self.run_lzc("keys", "generate", "-c", str(self.config), name)
        self.build()
        self.lzc: Process

    def run_lzc(self, *arguments: str) -> str:
        done = lzc_process.ended(*arguments)
        assert done.returncode == 0, f"{arguments}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, name: str, more: str = "") -> None:
        path = self.folder / "zones" / f"{name}.zone"
        path.unlink(missing_ok=True)
        path.write_text(ZONES[name][1] + more)

    def build(self) -> None:
        self.run_lzc("build", "-c", str(self.config))

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            arguments = ["serve", "-c", str(self.config)]
            self.lzc = stack.enter_context(
                running(arguments, self.folder, "lzc", lzc_process.logging_to)
            )
            # One that every client gets at once.
            wait_for_zone(self.lzc, self.port, "nsec.example")
            for release, port in self.ports.items():
                home = self.folder / str(release)
                kind = KINDS[release.software]
                stack.enter_context(
                    kind.secondary(home, port, self.port, list(ZONES), release, LOOPBACK)
                )
            yield

    def serials(self) -> dict[str, int]:
        """Of the form of each zone, by what lzc says of it."""
        said = self.run_lzc("ctl", "secondaries", "-c", str(self.config), "--format", "json")
        (first, *others) = [
            {form["zone"].rstrip("."): form["serial"] for form in one["forms"]}
            for one in json.loads(said)["secondaries"]
        ]
        assert all(one == first for one in others)
        return first

    def await_all(self) -> dict[str, int]:
        """Wait until each secondary has what lzc has; the serials."""

        def current() -> bool:
            serials = self.serials()
            return len(serials) == len(ZONES) and all(
                serial and serial_at(port, name) == serial
                for name, serial in serials.items()
                for port in self.ports.values()
            )

        wait_until(current, "all secondaries have all forms")
        return self.serials()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    for release in OLDEST.values():
        if release in ALL:
            release.require()
    made = Stage(tmp_path_factory.mktemp("forms"))
    with made.run():
        made.await_all()
        yield made


def axfr(port: int, name: str, key: str | None = None, source: str = LOOPBACK) -> dns.zone.Zone:
    zone = dns.zone.Zone(name, relativize=False)
    query, _ = dns.xfr.make_query(zone)
    if key is not None:
        query.use_tsig(dns.tsigkeyring.from_text({key: TSIG_SECRET}))
    dns.query.inbound_xfr(
        LOOPBACK, zone, query, port=port, source=source, lifetime=PATIENCE, timeout=PATIENCE
    )
    return zone


def rows(zone: dns.zone.Zone) -> set[tuple[str, int, str, str]]:
    return {
        (name.to_text().lower(), ttl, dns.rdatatype.to_text(one.rdtype), one.to_text().lower())
        for name, ttl, one in zone.iterate_rdatas()
    }


def check(folder: Path, name: str, zone: dns.zone.Zone, number: str) -> None:
    """Three who verify zones say that all of it is right."""
    file = folder / f"{name}-{number}.signed"
    file.write_text("\n".join(
        f"{owner} {ttl} IN {dns.rdatatype.to_text(one.rdtype)} {one.to_text()}"
        for owner, ttl, one in sorted(
            zone.iterate_rdatas(), key=lambda row: row[2].rdtype != dns.rdatatype.SOA
        )
    ) + "\n")  # fmt: skip
    for command in (
        ["dnssec-verify", "-z", "-o", name],
        ["ldns-verify-zone"],
        ["kzonecheck", "-o", name],
    ):
        program = find(command[0])
        assert program is not None
        done = subprocess.run(
            [program, *command[1:], str(file)], capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"


def test_they_have_what_lzc_made_and_it_verifies(stage: Stage, tmp_path: Path) -> None:
    for program in ("dnssec-verify", "ldns-verify-zone", "kzonecheck"):
        require(program)
    for name in ZONES:
        ours = axfr(stage.port, name, TSIG_NAME)
        if name in SIGNED:
            check(tmp_path, name, ours, "ours")
        for release, port in stage.ports.items():
            if release.software == "bind":
                assert rows(axfr(port, name)) == rows(ours), release
            assert serial_at(port, name) == ours.get_soa().serial


def test_they_follow_changes_by_ixfr(stage: Stage, tmp_path: Path) -> None:
    """Names that come, go and change, a cut that hides, and one that is no more."""
    require("dnssec-verify")
    texts = (
        "b A 192.0.2.2\nx.y.z TXT new\n",
        "b A 192.0.2.3\nent.x NS ns1\n",
        "*.w A 192.0.2.7\nb TXT t\n",
        "sub.cut A 192.0.2.8\nin.sec2 NS ns1.example.net.\n",
        "",
    )
    for step, text in enumerate(texts):
        before = stage.serials()
        for name in ZONES:
            stage.write(name, text)
        stage.build()
        stage.run_lzc("ctl", "reload", "-c", str(stage.config))
        wait_until(
            lambda before=before: all(stage.serials()[name] != before[name] for name in before),  # type: ignore[misc]
            "lzc has new serials",
        )
        stage.await_all()
        for name in SIGNED:
            check(tmp_path, name, axfr(stage.port, name, TSIG_NAME), str(step))
        for name in ZONES:
            ours = rows(axfr(stage.port, name, TSIG_NAME))
            for release, port in stage.ports.items():
                if release.software == "bind":
                    assert rows(axfr(port, name)) == ours, (release, name)
    said = json.loads(
        stage.run_lzc("ctl", "secondaries", "-c", str(stage.config), "--format", "json")
    )
    # Who has the same address and key is counted with the others.
    kinds = said["secondaries"][0]["transfers"]["kinds"]
    assert kinds["IXFR"] >= len(texts) * len(ZONES) * len(stage.ports)
    assert "IXFR-as-AXFR" not in kinds


@pytest.mark.parametrize("release", ALL, ids=str)
def test_what_they_serve_is_secure(stage: Stage, release: Release, tmp_path: Path) -> None:
    release.require()
    require("unbound")
    names = ("", "ns1.", "x.w.", "missing.", "a.ent.x.", "ent.x.", "no.cut.", "sec.", "y.dn.")
    more = ("lone.", "pick.", "who.", "nothing.", "both.", "m.wild.", "*.wild.")
    anchors = [anchor for name in SIGNED for anchor in _anchors(stage, name)]
    where = {f"{name}.": stage.ports[release] for name in SIGNED}
    with resolver.unbound(tmp_path / "unbound", where, anchors) as unbound:
        questions = [
            resolver.Question(f"{label}{name}.", kind)
            for name in SIGNED
            for label in (*names, *(more if name == "flat.example" else ()))
            for kind in ("A", "TXT", "MX", "DS", "SOA")
            if not (label == "" and kind == "DS")
        ]
        verdicts = unbound.ask(questions)
        for question in questions:
            verdict = verdicts[question]
            label = question.name.removesuffix("optout.example.")
            if question.name.startswith(("no.cut.", "y.dn.")) or (
                question.name.startswith("sec.") and question.rrtype != "DS"
            ):
                # It is elsewhere, or nowhere.
                continue
            if label != question.name and label not in ("", "ns1.", "a.ent.x."):
                # What an opt-out covers may be there unsigned.
                assert verdict.rcode in (0, 3), question
                continue
            assert verdict.rcode in (0, 3), question
            assert verdict.authentic, question


def _anchors(stage: Stage, name: str) -> list[str]:
    """DS records in presentation format."""
    apex = from_text(f"{name}.")
    found, _ = Keystore(stage.folder / "keys").sift(apex)
    return [ds.to_text(apex, ds.ds_rdata(apex, key.dnskey)) for key in found]


def texts(port: int, name: str, kind: str) -> list[str]:
    """The RDATA of an answer."""
    query = dns.message.make_query(name, kind)
    answer = dns.query.udp(query, LOOPBACK, port=port, timeout=PATIENCE).answer
    return sorted(one.to_text() for rrset in answer for one in rrset)


def test_lua_records_are_what_they_give_the_stated_client(stage: Stage) -> None:
    for port, name in itertools.product(stage.ports.values(), ("flat.example", "bare.example")):
        assert texts(port, f"lone.{name}", "A") == ["192.0.2.9"]
        assert texts(port, f"who.{name}", "TXT") == [f'"{CLIENT}"']
        assert texts(port, f"q.wild.{name}", "TXT") == [f'"*.wild.{name}."']
        assert texts(port, f"nothing.{name}", "A") == []
        assert texts(port, f"both.{name}", "A") == ["192.0.2.3"]
        assert texts(port, f"both.{name}", "TXT") == ['"static"']


@pytest.mark.parametrize("name", ["flat.example", "bare.example"])
def test_no_lua_record_is_had_however_it_is_asked_for(stage: Stage, name: str) -> None:
    """Of lzc, with any key or none, from any address, over UDP and TCP; and of who has the zone."""
    marks = (b"pickrandom", b"\xff\x7a\x00\x01")
    kinds = ("AXFR", "IXFR", "ANY", "SOA", "TYPE65402", "A", "TXT")
    keys = (None, TSIG_NAME, OTHER)
    owners = ("", "lone.", "pick.", "m.wild.", "*.wild.")
    sources = (LOOPBACK, "127.0.0.7")
    answers = 0
    for kind, key, source in itertools.product(kinds, keys, sources):
        for owner in owners if kind not in ("AXFR", "IXFR", "SOA") else ("",):
            query = dns.message.make_query(f"{owner}{name}", kind, want_dnssec=True)
            if kind == "IXFR":
                soa = dns.rrset.from_text(f"{name}.", 0, "IN", "SOA", "a. b. 1 1 1 1 1")
                query.authority.append(soa)
            if key is not None:
                query.use_tsig(dns.tsigkeyring.from_text({key: TSIG_SECRET}))
            for over in (_by_udp, _by_tcp):
                octets = over(query.to_wire(), stage.port, source)
                answers += bool(octets)
                # The question itself names the type, in another class than that of these marks.
                question = from_text(f"{owner}{name}.") + b"\xff\x7a\x00\x01"
                rest = octets.replace(question, b"")
                assert not any(mark in rest for mark in marks), (kind, key, source, owner)
    assert answers > 100
    for port in stage.ports.values():
        for owner, kind in itertools.product(owners, ("ANY", "TYPE65402")):
            query = dns.message.make_query(f"{owner}{name}", kind)
            answer = dns.query.tcp(query, LOOPBACK, port=port, timeout=PATIENCE)
            assert not [one for one in answer.answer if one.rdtype == LUA]


def _by_udp(wire: bytes, port: int, source: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.settimeout(PATIENCE)
        sock.sendto(wire, (LOOPBACK, port))
        return sock.recv(65535)


def _by_tcp(wire: bytes, port: int, source: str) -> bytes:
    """All that comes until the server closes, as it does after what it was told is the last."""
    with socket.create_connection((LOOPBACK, port), PATIENCE, (source, 0)) as sock:
        sock.sendall(len(wire).to_bytes(2, "big") + wire)
        sock.shutdown(socket.SHUT_WR)
        parts = []
        while some := sock.recv(65535):
            parts.append(some)
    return b"".join(parts)
