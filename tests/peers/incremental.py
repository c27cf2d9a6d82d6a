"""One zone with LUA records, and secondaries of every software and version, all at once: it changes
again and again, and each gets what changed."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone

from tests.patience import PATIENCE
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, Process, free_port, running, serial_at, wait_until
from tests.peers._peers.project import FIXTURES, TSIG_SECRET, keyring
from tests.peers._peers.releases import Release
from tests.peers._peers.server import Server
from tests.peers.all_secondaries import endpoint
from tests.unit import lzc_process
from tests.unit.certificates import NAME, Pair, make

ZONE = "incremental.example"
OURS = "transfer.example."
LUA = dns.rdatatype.RdataType.make(65402)
HEAD = """\
$TTL 300
@ SOA ns1 Hostmaster 1 3600 600 1209600 60
@ NS ns1
ns1 A 192.0.2.53
"""
STILL = "".join(f'still{number} TXT "{"s" * 250}" "{"s" * 250}"\n' for number in range(40))
"""So that the whole zone is longer than what changes in it."""
CODE = (
    "pickrandom({{'192.0.2.{0}', '192.0.2.99'}})",
    ";if country('DE') then return '192.0.2.{0}' end return {{'192.0.2.1'}}",
    ";local all = {{'192.0.2.{0}', '" + "', '".join(["198.51.100.7"] * 40) + "'}} return all",
)

Rows = set[tuple[str, int, str, str]]


def key_of(release: Release) -> str:
    """The name of its TSIG key, which tells in the log whose transfer one is."""
    return f"{release.software}-{release.version.replace('.', '-')}.example."


def over_tls(server: Server, pair: Pair, ca: Path) -> Server:
    """A kind of server that transfers over TLS alone, from who has this certificate of this CA."""
    if server.name == "bind":
        tls = f'tls ours {{{{ remote-hostname "{NAME}"; ca-file "{ca}"; }}}};\n'
        transferred = server.transferred.replace('key "{tsig}"', 'key "{tsig}" tls ours')
        return replace(server, primary=tls, transferred=transferred)
    if server.name == "nsd":
        head = server.head.replace("server:", f'server:\n    tls-cert-bundle: "{ca}"', 1)
        tls = f'tls-auth:\n    name: "ours"\n    auth-domain-name: "{NAME}"\n'
        asks = "request-xfr: {primary}@{primary_port} {tsig}"
        transferred = server.transferred.replace(asks, f"{asks} ours")
        return replace(server, head=head, primary=tls, transferred=transferred)
    key = "    key: {tsig}\n"
    primary = server.primary.replace(key, f"{key}    tls: on\n    cert-key: {pair.pin}\n", 1)
    return replace(server, primary=primary)


class Incremental:
    """lzc and its secondaries. Use `run`; then `change`. ``address``: by which they know each
    other. With ``tls`` zones go over that alone."""

    def __init__(
        self,
        folder: Path,
        releases: Sequence[Release],
        *,
        address: str = LOOPBACK,
        tls: bool = False,
    ) -> None:
        self.folder = folder
        self.releases = list(releases)
        self.address = address
        self.port = free_port()
        self.tls_port = free_port()
        self.tls: tuple[Pair, Path] | None = None
        self.ports = {release: free_port() for release in releases}
        self.config = folder / "lzc.toml"
        (folder / "zones").mkdir(parents=True)
        self.lines: dict[str, list[str]] = {}
        text = (
            '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\npowerdns = "5.1"\n'
            f'[serve]\nlisten = ["{LOOPBACK}:{self.port}", "[::1]:{self.port}"]\n'
            'log-format = "json"\n'
        )
        if tls:
            ca = make("our CA", ca=True)
            self.tls = make(issuer=ca), ca.write(folder, "ca")[0]
            self.tls[0].write(folder, "tls")
            text += (
                f'tls-listen = ["{LOOPBACK}:{self.tls_port}", "[::1]:{self.tls_port}"]\n'
                'tls-certificate-file = "tls.pem"\ntls-key-file = "tls.key"\n'
            )
        text += f'[tsig."{OURS}"]\nsecret = "{TSIG_SECRET}"\n'
        for release in releases:
            powerdns = release.software == "powerdns"
            # What the others keep of LUA records is to be the very octets, too: they are called
            # PowerDNS, as nobody else gets any.
            software = str(release) if powerdns else "powerdns-5.1"
            text += f'[tsig."{key_of(release)}"]\nsecret = "{TSIG_SECRET}"\n'
            text += (
                f'[[secondary]]\nname = "{release}"\n'
                f'address = "{endpoint(address, self.ports[release])}"\n'
                f'software = "{software}"\ntsig = "{key_of(release)}"\nzones = ["{ZONE}"]\n'
            )
            text += "require-tls = true\n" if tls else ""
        # Whoever compares has the LUA records, too.
        text += (
            f'[[secondary]]\nname = "judge"\naddress = "{LOOPBACK}:9"\nnotify = false\n'
            f'software = "powerdns-5.1"\ntsig = "{OURS}"\n'
        )
        self.config.write_text(text)
        self.config.chmod(0o600)
        self.serial = 0
        self.lzc: Process
        self.processes: dict[Release, Process] = {}

    def command(self, *arguments: str) -> str:
        done = lzc_process.ended(*arguments)
        assert done.returncode == 0, f"{arguments}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def build(self, text: str) -> None:
        path = self.folder / "zones" / f"{ZONE}.zone"
        path.unlink(missing_ok=True)
        path.write_text(HEAD + STILL + text)
        self.command("build", "-c", str(self.config))

    @contextlib.contextmanager
    def run(self, text: str) -> Iterator[None]:
        """All serve while the block runs, which starts when all have the zone."""
        self.build(text)
        with contextlib.ExitStack() as serving:
            arguments = ["serve", "-c", str(self.config)]
            self.lzc = serving.enter_context(
                running(arguments, self.folder, "lzc", lzc_process.logging_to)
            )
            wait_until(lambda: serial_at(self.port, ZONE) is not None, "lzc answers")
            for release in self.releases:
                self.processes[release] = serving.enter_context(self._secondary(release))
            self._await_all()
            yield

    def _secondary(self, release: Release) -> contextlib.AbstractContextManager[Process]:
        home, port = self.folder / str(release), self.ports[release]
        tsig = key_of(release), TSIG_SECRET
        if release.software != "powerdns":
            server, primary_port = KINDS[release.software], self.port
            if self.tls is not None:
                server, primary_port = over_tls(server, *self.tls), self.tls_port
            return server.secondary(
                home, port, primary_port, [ZONE], release, self.address, tsig=tsig
            )
        geo = FIXTURES / "geo" / "example.mmdb"
        settings = ["loglevel=6"]
        pdns = PowerDns(home, port, self.port, geo, release, settings, tsig)
        pdns.primary = endpoint(self.address, self.port)
        pdns.add_zone(ZONE)
        pdns.pdnsutil("set-meta", ZONE, "IXFR", "1")
        return pdns.run([ZONE])

    def change(self, text: str) -> None:
        """Another content, which all have when this returns."""
        self.build(text)
        self.command("ctl", "reload", "-c", str(self.config))
        self._await_all()

    def _await_all(self) -> None:
        serial = serial_at(self.port, ZONE)
        assert serial is not None
        self.serial = serial
        for release, port in self.ports.items():
            wait_until(
                lambda port=port: serial_at(port, ZONE) == serial,  # type: ignore[misc]
                f"{release} has serial {serial}",
            )

    def sent(self, release: Release) -> list[str]:
        """What it was sent, in order, by the log of lzc."""
        return [kind for kind, _, _ in self.transfers(release)]

    def transfers(self, release: Release) -> list[tuple[str, str, str]]:
        """The same with the transport, and the address that it came from."""
        found = []
        for line in self.lzc.log_text().splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if event.get("key") == key_of(release) and "kind" in event:
                    found.append((str(event["kind"]), event["transport"], event["peer"]))
        return found

    def log(self, release: Release) -> str:
        """What its own log says."""
        return self.processes[release].log_text()

    def ours(self) -> Rows:
        """The zone as lzc sends it whole."""
        return transferred(self.port, signed=True)

    def at(self, release: Release) -> Rows:
        """The zone as it has it."""
        # The acl of Knot DNS has its primary's address alone.
        host = self.address if release.software == "knot" else LOOPBACK
        return transferred(self.ports[release], signed=False, host=host)


def transferred(port: int, *, signed: bool, host: str = LOOPBACK) -> Rows:
    """Every record as AXFR gives it: owner without case, TTL, type, RDATA with its names without
    case, and code to the octet."""
    zone = dns.zone.Zone(ZONE, relativize=False)
    ring = keyring() if signed else None
    query, _ = dns.xfr.make_query(zone, keyring=ring)
    dns.query.inbound_xfr(host, zone, query, port=port, timeout=PATIENCE)
    return {
        (
            name.to_text().lower(),
            ttl,
            dns.rdatatype.to_text(rdata.rdtype),
            text if rdata.rdtype in (LUA, dns.rdatatype.TXT) else text.lower(),
        )
        for name, ttl, rdata in zone.iterate_rdatas()
        for text in (rdata.to_text(),)
    }


def random_text(chance: random.Random) -> str:
    """A zone of which most is as it was before, and something is not."""
    lines = []
    for label in ("www", "a.deep", "*.wild", "MiXed"):
        if chance.random() < 0.85:
            ttl = chance.choice((60, 60, 60, 90))
            numbers = chance.sample(range(1, 4), chance.randrange(1, 3))
            lines += [f"{label} {ttl} A 192.0.2.{number}" for number in numbers]
        if chance.random() < 0.6:
            target = chance.choice(("mail", "Mail", "MAIL.Example.net."))
            lines.append(f"{label} MX 10 {target}")
    for label in ("lua", "lua2", "lua3", "geo.deep"):
        # With several TTLs, which are one RRset to BIND, it takes the whole zone.
        ttl = chance.choice((5, 5, 10))
        if chance.random() < 0.8:
            code = chance.choice(CODE).format(chance.randrange(1, 4))
            lines.append(f'{label} {ttl} LUA A "{code}"')
        if chance.random() < 0.3:
            lines.append(f"{label} {ttl} LUA TXT \";return 'text {chance.randrange(3)}'\"")
    return "\n".join(lines) + "\n"
