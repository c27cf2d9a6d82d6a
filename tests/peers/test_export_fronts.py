"""What stands before lzc works with what ``lzc export`` writes: dnsdist, PowerDNS Recursor, and
unbound."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.xfr
import dns.zone
import pytest

from tests.patience import PATIENCE
from tests.peers._peers import presence
from tests.peers._peers.asking import Client, query
from tests.peers._peers.process import LOOPBACK, free_port, running, wait_until
from tests.peers._peers.project import Project, keyring

NOERROR = dns.rcode.NOERROR

pytestmark = pytest.mark.usefixtures("nowhere_to_go")

ODD = r"a\"b\;\@c.d\032e\\f.example"
WHERE = "subnet.det.example.org"
"""Its TXT record is the client's subnet, as it was sent along."""
UNBOUND = """\
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    interface: {address}
    port: {port}
    do-daemonize: no
    do-ip6: no
    trust-anchor-signaling: no
remote-control:
    control-enable: no
include: "{exported}/unbound.conf"
"""
DNSDIST = """\
setLocal("{address}:{port}")
setSecurityPollSuffix("")
dofile("{exported}/dnsdist.conf")
"""
RECURSOR = """\
local-address={address}
local-port={port}
socket-dir={folder}
security-poll-suffix=
include-dir={folder}/more
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """lzc, with what is exported beside its folder."""
    found = Project(tmp_path / "project")
    text = found.config.read_text().replace("dnssec = true", "dnssec = false")
    zone = "$TTL 60\n@ SOA ns1.example. h.example. 1 3600 600 86400 60\n@ NS ns1.example.\n"
    (found.folder / "zones" / "odd.zone").write_text(f"{zone}x A 192.0.2.1\n")
    found.config.write_text(f"{text}[zone.'{ODD}']\nsource = 'zones/odd.zone'\n")
    found.build()
    for program in ("dnsdist", "recursor", "unbound"):
        found.lzc("export", program, "-o", str(tmp_path / "exported"))
    with found.serve():
        yield found


@contextlib.contextmanager
def run(folder: Path, name: str, text: str, *command: str, more: str = "") -> Iterator[int]:
    """A program on the port that is given, with a configuration; ``command`` has the place of that
    as ``{}``."""
    presence.require(command[0])
    home = folder / "home"
    (home / "more").mkdir(parents=True)
    port = free_port()
    values = {"folder": home, "port": port, "address": LOOPBACK, "exported": folder / "exported"}
    file = home / name
    file.write_text(text.format(**values))
    (home / "more" / "lzc.conf").write_text(more)
    program = presence.find(command[0])
    assert program is not None
    words = [program, *(word.format(file, home=home) for word in command[1:])]
    with running(words, home, command[0]) as process:

        def answers() -> bool:
            assert process.running(), process.log_text()
            with contextlib.suppress(OSError, dns.exception.DNSException):
                return recursive(port, "www.example.com", "A", timeout=1).rcode() == NOERROR
            return False

        wait_until(answers, f"{command[0]} answers")
        yield port


def recursive(
    port: int, name: str, rrtype: str, client: Client | None = None, timeout: float = PATIENCE
) -> dns.message.Message:
    """The answer to a query that wants recursion."""
    client = client or Client()
    asked = query(name, rrtype, client)
    asked.flags |= dns.flags.RD
    return dns.query.udp(asked, LOOPBACK, port=port, timeout=timeout, source=client.source)


def answer_of(port: int, name: str, rrtype: str, client: Client | None = None) -> list[str]:
    found = recursive(port, name, rrtype, client)
    assert found.rcode() == NOERROR
    return [str(rdata) for rrset in found.answer for rdata in rrset]


def test_unbound_sends_subnets_and_asks_for_zones_of_any_name(
    project: Project, tmp_path: Path
) -> None:
    presence.require("unbound-checkconf")
    with run(tmp_path, "unbound.conf", UNBOUND, "unbound", "-d", "-c", "{}") as port:
        check = presence.find("unbound-checkconf")
        assert check is not None
        file = str(tmp_path / "home" / "unbound.conf")
        done = subprocess.run([check, file], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        assert answer_of(port, WHERE, "TXT") == ['"127.0.0.0/24"']
        assert answer_of(port, WHERE, "TXT", Client("127.1.2.3")) == ['"127.1.2.0/24"']
        assert answer_of(port, f"x.{ODD}", "A") == ["192.0.2.1"]
        assert answer_of(port, "77.2.0.192.in-addr.arpa", "PTR")


def test_the_recursor_sends_subnets_and_asks_for_zones_of_any_name(
    project: Project, tmp_path: Path
) -> None:
    exported = tmp_path / "exported"
    more = (exported / "recursor.conf").read_text().replace("/etc/powerdns", str(exported))
    command = ("pdns_recursor", "--config-dir={home}", "--daemon=no")
    with run(tmp_path, "recursor.conf", RECURSOR, *command, more=more) as port:
        subnet = Client(subnet="198.51.100.0/24")
        assert answer_of(port, WHERE, "TXT", subnet) == ['"198.51.100.0/24"']
        assert answer_of(port, f"x.{ODD}", "A") == ["192.0.2.1"]
        assert answer_of(port, "77.2.0.192.in-addr.arpa", "PTR")


def test_dnsdist_sends_subnets_but_in_signed_messages_and_so_lets_transfers_through(
    project: Project, tmp_path: Path
) -> None:
    command = ("dnsdist", "-C", "{}", "--supervised", "--disable-syslog")
    with run(tmp_path, "dnsdist.conf", DNSDIST, *command) as port:
        assert answer_of(port, WHERE, "TXT", Client("127.1.2.3")) == ['"127.1.2.0/24"']
        assert answer_of(port, f"x.{ODD}", "A") == ["192.0.2.1"]
        signed = dns.message.make_query("example.com", "SOA")
        signed.use_tsig(keyring())
        answer = dns.query.udp(signed, LOOPBACK, port=port, timeout=PATIENCE)
        assert answer.rcode() == NOERROR and answer.had_tsig
        zone = dns.zone.Zone(dns.name.from_text("example.com"))
        asked, _ = dns.xfr.make_query(zone, keyring=keyring())
        dns.query.inbound_xfr(LOOPBACK, zone, asked, port=port, timeout=PATIENCE)
        assert len(zone.nodes) > 3
