"""What a health check sends, and what it makes of the answer: a web server hears each version of
PowerDNS and lzc as that version, octet by octet, and both say the same of it."""

from __future__ import annotations

import re
import socketserver
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import dns.rcode
import pytest

from lzc.powerdns_versions import Version, version_of
from tests.peers._peers.asking import ask
from tests.peers._peers.process import wait_until
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.test_lua_differential import HEAD, ZONE, AllDown, serving
from tests.unit.live_server import LiveServer, Project

pytestmark = pytest.mark.usefixtures("nowhere_to_go")

UP, DOWN = "127.0.0.1", "127.0.0.9"
URL: Final = "http://www.x.example:{port}/{who}/"
CHECKS: Final = {
    "plain": ("{url}ok", ""),
    "query": ("{url}ok?a=b&c=%20d#e", ""),
    "address": ("http://192.0.2.9:{port}/{who}/ok", ""),
    "case": ("HTTP://WWW.X.example:{port}/{who}/Ok", ""),
    "agent": ("{url}ok", "useragent='Some one/1'"),
    "headers": ("{url}ok", "headers={['X-A']='b_c'}"),
    "underscore": ("{url}ok", "headers={X_Api_Key='b_c'}"),
    "host": ("{url}ok", "headers={Host='other.example'}"),
    "own-agent": ("{url}ok", "headers={['User-Agent']='me'}"),
    "own-accept": ("{url}ok", "headers={Accept='text/html',X=''}"),
    "lower": ("{url}ok", "headers={host='other.example'}"),
    "none": ("{url}ok", "headers={Accept='',['User-Agent']=''}"),
    "no-host": ("{url}ok", "headers={Host=''}"),
    "password": ("http://us:pw@www.x.example:{port}/{who}/ok", ""),
    "blank": ("{url}a b", ""),
    "moved": ("{url}moved", ""),
    "moved-301": ("{url}moved", "httpcode=301"),
    "missing": ("{url}missing", ""),
    "missing-404": ("{url}missing", "httpcode='404'"),
    "match": ("{url}ok", "stringmatch='some page'"),
    "no-match": ("{url}ok", "stringmatch='some pagf'"),
    "limit": ("{url}ok", "stringmatch='page',byteslimit=3"),
}
"""URLs and options of ifurlup, by the label that they have in the zone."""
EXTERN: Final = (
    "ifurlextup({{['%s']='http://127.0.0.1:%d/%s/ok',['%s']='http://127.0.0.1:%d/%s/missing'}},"
    "{%s})"
)
WEIGHT: Final = "pickselfweighted('%sweight',{'%s','%s'},{})"
BOTH: Final = "selector='all',backupSelector='all'"
"""So that an answer tells which candidates are up: one, or for none of them, two."""
NEVER_ASKED: Final = ("password", "blank")
"""Of these nobody sends anything."""
SERVFAIL: Final = "SERVFAIL"
_PATH: Final = re.compile(rb"GET /(\w+)/")


@dataclass(slots=True)
class Listener:
    """A web server; ``heard`` are the heads of requests by who asked, ``times`` how many came."""

    port: int
    heard: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    times: Counter[str] = field(default_factory=Counter)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            octets = self.rfile.read(1)
            if not octets:
                return
            head += octets
        asked = _PATH.match(head)
        if asked is None:
            return
        who = asked[1].decode()
        listener = self.server.listener  # type: ignore[attr-defined]
        listener.heard[who].add(head.replace(b"/" + asked[1] + b"/", b"/"))
        listener.times[who] += 1
        path = head.split()[1].rpartition(b"/")[2]
        body = b"7" if path == b"weight" else b"this is some page"
        status = b"404 Not Found" if path == b"missing" else b"200 OK"
        more = b""
        if path == b"moved":
            status, more = b"301 Moved", b"Location: /%s/ok\r\n" % asked[1]
        lines = (b"HTTP/1.1 %s\r\n%s" % (status, more), b"Content-Length: %d\r\n\r\n" % len(body))
        self.wfile.write(b"".join(lines) + body)


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with socketserver.ThreadingTCPServer((UP, 0), _Handler) as server:
        server.daemon_threads = True
        server.listener = made = Listener(server.server_address[1])  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def _plain(label: str) -> str:
    return label.replace("-", "")


def zone_of(who: str, port: int, version: Version) -> str:
    """The checks, each below paths of its own."""
    codes = {}
    for label, (written, options) in CHECKS.items():
        path = who + _plain(label)
        url = written.format(url=URL.format(port=port, who=path), port=port, who=path)
        chosen = ",".join(filter(None, (options, BOTH)))
        codes[label] = f"ifurlup('{url}',{{'{UP}','{DOWN}'}},{{{chosen}}})"
    path = f"{who}extern"
    codes["extern"] = EXTERN % (UP, port, path, DOWN, port, path, BOTH)
    if version >= (5, 0):
        codes["weight"] = WEIGHT % (URL.format(port=port, who=f"{who}weight"), UP, DOWN)
    return "".join(f'{label} 0 IN LUA A "{code}"\n' for label, code in codes.items())


def _answer(port: int, label: str) -> str:
    reply = ask(port, f"{label}.{ZONE}", "A")
    texts = sorted(str(rdata) for rrset in reply.answer for rdata in rrset)
    return " ".join(texts) or dns.rcode.to_text(reply.rcode())


@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_the_same_is_sent_and_said(release: Release, listener: Listener, tmp_path: Path) -> None:
    version = version_of(release.version)
    tag = release.version.replace(".", "")
    labels = [*CHECKS, "extern", *(["weight"] if version >= (5, 0) else [])]
    (tmp_path / "lzc").mkdir()
    (tmp_path / "powerdns").mkdir()
    zone = "\n".join([*HEAD, zone_of(f"p{tag}", listener.port, version)])
    project = Project(tmp_path / "lzc", "[lua]\nenable = true\nhealth-check-interval = 1\n")
    project.build({ZONE: zone_of(f"l{tag}", listener.port, version)}, powerdns=version)
    with (
        serving(tmp_path / "powerdns", zone, AllDown(), 1, release) as powerdns,
        LiveServer(project) as lzc,
    ):
        ports = powerdns.port, lzc.port
        # PowerDNS checks what it was asked for; code that fails checks nothing.
        first = {label: [_answer(port, label) for port in ports] for label in labels}
        checked = [
            label for label in labels if label not in NEVER_ASKED and SERVFAIL not in first[label]
        ]
        asked = [f"{one}{tag}{_plain(label)}" for one in "pl" for label in checked]
        # What the first check found stands when the second begins.
        wait_until(lambda: all(listener.times[who] > 1 for who in asked), "all is checked twice")
        there, here = ([f"{label}: {_answer(port, label)}" for label in labels] for port in ports)
    assert here == there
    assert f"plain: {UP}" in there
    assert f"missing: {UP} {DOWN}" in there
    paths = {label: _plain(label) for label in labels}
    heard = {
        label: [listener.heard[f"{one}{tag}{path}"] for one in "pl"]
        for label, path in paths.items()
    }
    differ = [
        f"{label}: {both[0]}, {both[1]}" for label, both in heard.items() if both[0] != both[1]
    ]
    assert not differ, "\n".join(differ)
    assert listener.heard[f"p{tag}plain"]
