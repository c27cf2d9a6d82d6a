"""``lzc demo``: the whole road on the example project, with nothing left behind.

It runs the same commands an operator would, on a copy of the fixtures, then asks the running server
over UDP and TCP. Every answer has to be the one expected, and every signature has to hold.
"""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import click
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import dns.zone

from lzc.bundle import current
from lzc.cli import group
from lzc.cli.init import new_tsig_secret, shipped, write_secret
from lzc.cli.screen import echo
from lzc.private_folder import private_folder
from lzc.rehearse.validation import Validator
from lzc.serve.ipc.process import ending_with_parent
from lzc.wire import name as wire_name
from lzc.wire.rrtype import LUA

HOST: Final = "127.0.0.1"
TSIG_NAME: Final = "transfer.example."
SIGNED: Final = ("example.org", "example.net", "2.0.192.in-addr.arpa")
HEALTHY: Final = ("127.0.1.1", 5380)
"""The one address of the fixtures' health checks on which something answers during the demo."""
PATIENCE: Final = 8.0
"""Seconds to wait for the server to answer, and for the first round of health checks."""


class Question(NamedTuple):
    """What to ask, as whom, and the RDATA that must come back (none: the name does not exist)."""

    name: str
    rrtype: str
    expected: tuple[str, ...]
    source: str = HOST
    subnet: str = ""


QUESTIONS: Final = (
    Question("www2.example.com.", "A", ("192.0.2.12",)),
    Question("static.example.org.", "A", ("192.0.2.80",)),
    Question("nothing.example.org.", "A", ()),
    Question("country.det.example.org.", "A", ("192.0.2.41",), subnet="192.0.2.0/24"),
    Question("country.det.example.org.", "A", ("192.0.2.42",), subnet="203.0.113.0/24"),
    Question("closest.det.example.org.", "A", ("198.51.100.1",), subnet="198.51.100.0/24"),
    Question("closest.det.example.org.", "A", ("203.0.113.130",), source="127.4.0.1"),
    Question("view.det.example.org.", "A", ("192.0.2.31",), subnet="2001:db8:1::/48"),
    Question("who.det.example.org.", "TXT", ('"127.5.6.7"',), source="127.5.6.7"),
    Question("srv.det.example.org.", "SRV", ("0 5 5060 sip1.example.com.",)),
    Question("any.echo.det.example.org.", "TXT", ('"wildcard for any.echo.det.example.org."',)),
    Question("77.2.0.192.in-addr.arpa.", "PTR", ("192.0.2.77.fwd.example.org.",)),
    Question("192.0.2.77.fwd.example.org.", "A", ("192.0.2.77",)),
    Question("2001-db8-1--53.fwd6.example.", "AAAA", ("2001:db8:1::53",)),
)
HEALTH_QUESTION: Final = Question("url-sets.example.org.", "A", (HEALTHY[0],))
"""Its record returns all addresses for as long as none is known to be up."""


@click.command()
@click.option("--keep", is_flag=True, help="Leave the copy of the project for a closer look.")
def command(keep: bool) -> None:
    """Build, serve, query and transfer the example project.

    Works on a copy in a temporary folder, on free ports of the loopback interface, and takes a few
    seconds. Exits with 1 when an answer or a signature is not as it should be.
    """
    started = time.monotonic()
    kept = contextlib.nullcontext(Path(tempfile.mkdtemp(prefix="lzc-demo-"))) if keep else None
    with kept or private_folder("demo") as folder:
        faults = _run(folder)
    if keep:
        echo(f"\nThe project, its keys and its bundle are in {folder}")
    echo(f"\nDone in {time.monotonic() - started:.1f} s.")
    if faults:
        raise click.ClickException(f"{faults} answer(s) not as expected")


def _run(folder: Path) -> int:
    config = folder / "lzc.toml"
    echo(f"A copy of the example project: {folder}\n")
    shutil.copytree(
        shipped("fixtures"),
        folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("build", "keys", "__pycache__"),
    )
    secret = new_tsig_secret()
    write_secret(folder / "keys" / "transfer.tsig", secret)
    for zone in SIGNED:
        _lzc(folder, "keys", "generate", "-c", "lzc.toml", zone)
    _lzc(folder, "build", "-c", "lzc.toml")
    _lzc(folder, "query", "-c", "lzc.toml", "port.example.org", "A", "--down", "127.0.1.1")
    _lzc(folder, "test", "-c", "lzc.toml")
    with contextlib.ExitStack() as opened:
        target = opened.enter_context(_healthy_target())
        port = opened.enter_context(_serving(config))
        echo("\nQuestions (signatures and denials are verified from the DS of the zone's keys)")
        bundle = opened.enter_context(current.open_live(folder / "build"))
        validator = Validator(bundle, partial(_ask_keys, port), time.time())
        faults = sum(_ask(port, question, validator) for question in QUESTIONS)
        if target:
            echo(f"\nA health check over HTTP: of three addresses only {HEALTHY[0]} answers")
            faults += _ask_patiently(port, HEALTH_QUESTION, validator)
        echo(f"\nTransfers over TCP, signed with TSIG key {TSIG_NAME}")
        return faults + sum(
            _transfer(port, zone, secret) for zone in ("example.org", "example.net")
        )


def _lzc(folder: Path, *arguments: str) -> None:
    """Run a command as the console script would, in the same process."""
    echo(f"$ lzc {' '.join(arguments)}")
    output = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(output):
        status = group.main(list(arguments), prog_name="lzc", standalone_mode=False)
    echo("".join(f"  {line}\n" for line in output.getvalue().splitlines()), nl=False)
    if status:
        raise click.ClickException(f"lzc {arguments[0]} ended with {status}")


@contextlib.contextmanager
def _healthy_target() -> Iterator[bool]:
    """A web server that health checks find up; False where the address cannot be had."""
    try:
        server = _Target(HEALTHY, _Fine)
    except OSError as error:
        echo(f"(no health check shown: {HEALTHY[0]} port {HEALTHY[1]}: {error.strerror})")
        yield False
        return
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield True
    finally:
        server.shutdown()
        server.server_close()


class _Target(socketserver.ThreadingTCPServer):
    # Not that of http.server: it asks the system's resolver for the name of its own address.
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a check may hang up as soon as it knows enough."""


class _Fine(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfine\n")


@contextlib.contextmanager
def _serving(config: Path) -> Iterator[int]:
    """``lzc serve`` on a free port, which it yields once the server answers."""
    port = _free_port()
    arguments = ["serve", "-c", "lzc.toml", "--listen", f"{HOST}:{port}"]
    echo(f"$ lzc {' '.join(arguments)} &")
    log = config.with_name("serve.log")
    with log.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "lzc", *arguments],
            cwd=config.parent,
            stdout=output,
            stderr=output,
            preexec_fn=ending_with_parent(),
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while _exchange(port, Question("example.com.", "SOA", ()), timeout=0.2) is None:
            if server.poll() is not None or time.monotonic() > deadline:
                echo(log.read_text(), err=True)
                raise click.ClickException("the server does not answer; its log is above")
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()


def _free_port() -> int:
    """A port free over UDP and over TCP, below those that Linux hands to clients."""
    while True:
        port = random.randrange(10_000, 30_000)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            contextlib.suppress(OSError),
        ):
            udp.bind((HOST, port))
            tcp.bind((HOST, port))
            return port


def _exchange(port: int, question: Question, timeout: float = 2) -> dns.message.Message | None:
    options: list[dns.edns.Option] = []
    if question.subnet:
        address, _, prefix = question.subnet.partition("/")
        options.append(dns.edns.ECSOption(address, int(prefix)))
    query = dns.message.make_query(
        question.name, question.rrtype, want_dnssec=True, use_edns=0, options=options
    )
    query.flags &= ~dns.flags.RD
    try:
        answer, _ = dns.query.udp_with_fallback(
            query, HOST, timeout=timeout, port=port, source=question.source
        )
    except (dns.exception.DNSException, OSError):
        return None
    return answer


def _ask(port: int, question: Question, validator: Validator) -> int:
    """Ask, print the answer, and return the number of faults in it (0 or 1)."""
    answer = _exchange(port, question)
    if answer is None:
        echo(f"  {question.name} {question.rrtype}: no answer")
        return 1
    fault = _compare(answer, question) or _check_signatures(validator, question, answer)
    signed = "signed" if _is_signed(answer) else "unsigned"
    client = f"subnet {question.subnet}" if question.subnet else f"from {question.source}"
    found = ", ".join(_contents(answer, question.rrtype)) or dns.rcode.to_text(answer.rcode())
    echo(f"  {question.name} {question.rrtype} ({client}) -> {found} [{fault or signed}]")
    return int(bool(fault))


def _ask_patiently(port: int, question: Question, validator: Validator) -> int:
    """Ask until the first round of health checks is over, then as `_ask`."""
    deadline = time.monotonic() + PATIENCE / 2
    while time.monotonic() < deadline:
        answer = _exchange(port, question)
        if answer is not None and not _compare(answer, question):
            break
        time.sleep(0.1)
    return _ask(port, question, validator)


def _contents(answer: dns.message.Message, rrtype: str) -> list[str]:
    wanted = dns.rdatatype.from_text(rrtype)
    return sorted(
        rdata.to_text() for rrset in answer.answer if rrset.rdtype == wanted for rdata in rrset
    )


def _compare(answer: dns.message.Message, question: Question) -> str:
    if _contents(answer, question.rrtype) != sorted(question.expected):
        return f"expected {', '.join(question.expected) or 'NXDOMAIN'}"
    if not question.expected and answer.rcode() != dns.rcode.NXDOMAIN:
        return "expected NXDOMAIN"
    return ""


def _check_signatures(validator: Validator, question: Question, answer: dns.message.Message) -> str:
    """What a validator would refuse in an answer that has signatures."""
    if not _is_signed(answer):
        return ""
    qname, qtype = wire_name.from_text(question.name), dns.rdatatype.from_text(question.rrtype)
    return "; ".join(validator.faults(qname, qtype, answer.to_wire()))


def _ask_keys(port: int, zone: bytes) -> bytes | None:
    keys = _exchange(port, Question(wire_name.to_text(zone), "DNSKEY", ()))
    return None if keys is None else keys.to_wire()


def _is_signed(answer: dns.message.Message) -> bool:
    return any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in (*answer.answer, *answer.authority))


def _transfer(port: int, zone: str, secret: str) -> int:
    """Transfer a zone with TSIG, and make sure that it is refused without."""
    keyring = dns.tsigkeyring.from_text({TSIG_NAME: ("hmac-sha256", secret)})
    try:
        copy = dns.zone.Zone(zone)
        query, _ = dns.xfr.make_query(copy, keyring=keyring, keyname=dns.name.from_text(TSIG_NAME))
        dns.query.inbound_xfr(HOST, copy, query, port=port, timeout=5)
    except (dns.exception.DNSException, OSError) as error:
        echo(f"  AXFR {zone} with TSIG: {error!r}")
        return 1
    types = [rdata.rdtype for _, _, rdata in copy.iterate_rdatas()]
    records, lua = len(types), types.count(LUA)
    serial = copy.get_soa().serial
    echo(f"  AXFR {zone}: {records} records, {lua} of them LUA, serial {serial}")
    try:
        dns.query.inbound_xfr(HOST, dns.zone.Zone(zone), port=port, timeout=5)
    except dns.exception.DNSException as error:
        echo(f"  AXFR {zone} without TSIG: refused ({error})")
        return 0
    echo(f"  AXFR {zone} without TSIG: not refused")
    return 1
