"""Zones, queries, targets and arguments that want to write into terminals and logs: every command
and every output."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lzc.cli import COMMANDS, group
from lzc.cli.check.fault_formats import Sources, to_github
from lzc.cli.faults import show_faults
from lzc.cli.screen import show_traceback
from lzc.faults import Fault, Place
from tests.patience import PATIENCE
from tests.unit.command_line import HEAD, lzc
from tests.unit.live_server import LiveServer, Project

FORGED = "FORGED ERROR all is well"
EVIL = (
    f"\x1b[2J\x1b]0;title\x07\r\n{FORGED}\r\n::error::{FORGED}\n"
    "##[error]##vso[task]\x9b31m\u202e\u2066\u2028\u2029\x7f[red]"
)
"""What a terminal, a log and CI would act on."""
OCTETS = "".join(f"\\{octet:03d}" for octet in EVIL.encode())
"""The same in a zone file."""
LUA = "".join(f"\\{octet:03d}" for octet in EVIL.encode())
"""The same in a string of Lua."""
CODE = LUA.replace("\\", "\\\\")
"""The same in a string of Lua in a zone file."""


def assert_tame(text: str, *, commands: bool = False) -> None:
    """That text only prints, no line of it is the forger's, and machines that run CI find no
    commands in it (but for ours, with ``commands``)."""
    assert all(c in "\n\t" or c.isprintable() for c in text), ascii(text)
    begins = [line.strip() for line in text.split("\n")]
    assert not [line for line in begins if line.startswith((FORGED, "::error::FORGED"))]
    if not commands:
        assert not [line for line in begins if line.startswith("::")]
        assert "##[" not in text and "##vso[" not in text


ZONE = f"""{HEAD}
txt TXT "{OCTETS}" "[red]markup[/red]"
hinfo HINFO "{OCTETS[:200]}" "x"
uri URI 1 1 "http://{OCTETS}"
caa CAA 0 issue "{OCTETS}"
naptr NAPTR 1 1 "u" "E2U" "!a!{OCTETS[:80]}!" .
{OCTETS[:100]} A 192.0.2.1
::error::{FORGED[:6]} A 192.0.2.1
goto LUA A ";goto error ::error:: ::warning:: local a = 1 ::done:: return '192.0.2.1'"
alias CNAME {OCTETS[:100]}
*.q LUA TXT "{{qname:toString()}}"
fails LUA TXT ";error('{CODE}')"
odd LUA TXT ";return {{'{CODE}'}}"
address LUA A ";return {{qname:toString()..'{CODE}'}}"
logs LUA TXT ";pdnslog('{CODE}') return 'x'"
url LUA A "ifurlup('http://h/{CODE}',{{{{'192.0.2.1'}}}})"
match LUA A "ifurlup('http://h/',{{{{'192.0.2.1'}}}},{{stringmatch='{CODE}',useragent='{CODE}'}})"
asks LUA A ";return ifurlup('http://h/'..qname:toString()..'{CODE}',{{{{'192.0.2.1'}}}})"
long LUA TXT ";return '{"x" * 200}' --[==[{OCTETS}]==] .. '{CODE}'"
file LUA A $FILE "evil.lua"
"""
ZONE = "".join(
    line[:-1] + " ; lzc: ignore powerdns-reads-otherwise\n" if CODE in line else line
    for line in ZONE.splitlines(keepends=True)
)
FAULTS = f"""{HEAD}
a T{OCTETS[:40]}YPE 1
b\x1b[31m A 192.0.2.999\x1b[2J
c A "{OCTETS[:100]}"
d \x9bTTL A 192.0.2.1
$INCLUDE "{OCTETS[:60]}.zone"
$EVIL\x1b[2J
e LUA A ";return unknown{LUA[:4]}('{CODE}')"
f LUA A "undefined_\x1b[2J('x')"
g LUA A "pickrandom({{'{CODE}'}})"
h LUA A "ifportup('{CODE}', {{'192.0.2.1'}})"
i LUA A "include('{CODE}')"
j LUA A $FILE "{OCTETS[:60]}.lua"
k LUA A "country('{CODE}')"
l LUA A "ifurlup('http://h/', {{{{'192.0.2.1'}}}}, {{['{CODE}']=1}})" ; lzc: ignore evil\x1b[2J
m CNAME {OCTETS[:100]}
m A 192.0.2.1
n MX 10 {OCTETS[:100]}
o LUA A "x{OCTETS[:100]}" )
"""
TESTS = {
    "title": EVIL,
    "name": "txt.example.org",
    "type": "TXT",
    "answers": [],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a hostile zone whose sources have changed since, and a zone full of faults."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "zones").mkdir()
    name = f"zones/{EVIL[:12]}[red].zone"
    (folder / name).write_text(ZONE)
    (folder / "zones/evil.lua").write_text(f"-- {EVIL[:4]}\n#[==[{EVIL}]==] > 0 and '192.0.2.1'")
    settings = f'[lua]\nenable = true\n[zone."example.org"]\nsource = {json.dumps(name)}\n'
    (folder / "lzc.toml").write_text(settings)
    toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in TESTS.items())
    (folder / "tests.toml").write_text(f"[[test]]\n{toml}\n")
    result = lzc(folder, "build")
    assert result.exit_code == 0, result.output
    assert_tame(result.output)
    changed = ZONE.replace("FORGED", "CHANGED").replace("\\070", "\\071").replace("192.", "198.")
    (folder / name).write_text(changed)
    bad = folder / f"zones/bad{EVIL[:6]}.zone"
    bad.write_text(FAULTS)
    toml = settings + f'[zone."example.net"]\nsource = {json.dumps(str(bad.relative_to(folder)))}\n'
    (folder / "faults.toml").write_text(toml)
    (folder / "wrong.toml").write_text(
        f"[serve]\n{json.dumps(EVIL)} = 1\nlisten = [{json.dumps(EVIL)}]\nnsid = 1\n"
        f"[tsig.{json.dumps(EVIL)}]\nsecret = {json.dumps(EVIL)}\nalgorithm = {json.dumps(EVIL)}\n"
        f"[zone.{json.dumps(EVIL)}]\nsource = {json.dumps(EVIL)}\nserial = {json.dumps(EVIL)}\n"
        f'[[secondary]]\nname = {json.dumps(EVIL)}\naddress = "x"\nsoftware = {json.dumps(EVIL)}\n'
    )
    return folder


NAMES = (
    *("txt", "hinfo", "uri", "caa", "naptr", "alias", "x.q", "fails", "odd", "address", "logs"),
    *("url", "match", "asks", "long", "file", OCTETS[:100], f"{OCTETS[:100]}.q", "nowhere"),
    *("::error::FORGED", "::error::nowhere", "##[error].q", "goto"),
)
TYPES = ("A", "TXT", "ANY", "URI", "CAA", "NAPTR", "HINFO", "CNAME")


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize("name", NAMES)
def test_query(project: Path, name: str, output: str, explain: bool) -> None:
    # Half of them a time: over the four ways, each name and each type is asked for in every way.
    for qtype in TYPES[(NAMES.index(name) + explain + (output == "json")) % 2 :: 2]:
        more = ["--explain"] if explain else []
        asked = f"{name}.example.org"
        result = lzc(project, "query", asked, qtype, "--format", output, *more)
        assert_tame(result.output)
        if output == "json":
            json.loads(result.stdout)
        else:
            assert all(line.count("\t") in (0, 3, 4) for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [
        *(["check", "--format", output] for output in ("text", "json", "sarif", "github")),
        *(["check", "--rules"], ["build"], ["verify"], ["keys", "list"], ["test", "-v"]),
        *(["diff"], ["diff", "--format", "json"], ["test", "--format", "json"]),
        *(["test", "--build", "--junit", "report.xml"], ["ctl", "status"], ["init", "new"]),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("settings", ["lzc.toml", "faults.toml", "wrong.toml"])
def test_commands(
    project: Path,
    arguments: list[str],
    settings: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    command = arguments[:2] if arguments[0] in ("keys", "ctl") else arguments[:1]
    given = ["-c", str(project / settings)] if arguments[0] != "init" else []
    if arguments == ["build"]:
        given += ["-o", str(tmp_path / f"out{EVIL[:5]}")]
    result = CliRunner().invoke(
        group, [*command, *given, *arguments[len(command) :]], catch_exceptions=False
    )
    assert_tame(result.output, commands="github" in arguments)
    if "json" in arguments or "sarif" in arguments:
        json.loads(result.stdout)
    if "github" in arguments and settings != "lzc.toml":
        assert result.stdout.count("\n") == result.stdout.count("::error ") + result.stdout.count(
            "::warning "
        )
    if "--junit" in arguments and settings == "lzc.toml":
        ET.parse(tmp_path / "report.xml")
    if settings != "lzc.toml" and arguments[0] in ("build", "diff"):
        assert result.exit_code


def test_the_faults_are_many_kinds(project: Path) -> None:
    result = CliRunner().invoke(
        group, ["check", "-c", str(project / "faults.toml"), "--format", "json"]
    )
    faults = json.loads(result.stdout)["faults"]
    assert len({fault["rule"] for fault in faults}) >= 6
    assert sum(not fault["message"].isprintable() for fault in faults) >= 3, "JSON has it as it is"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("where", ["option", "argument", "value"])
def test_arguments_that_are_wrong(name: str, where: str, tmp_path: Path) -> None:
    path = str(tmp_path / EVIL)
    words = {"option": [f"--{EVIL}"], "argument": [EVIL, EVIL, EVIL], "value": ["-c", path]}[where]
    result = CliRunner().invoke(group, [name, *words], catch_exceptions=False)
    assert result.exit_code
    assert_tame(result.output)


@pytest.mark.parametrize(
    "words",
    [
        [f"--{EVIL}"],
        [EVIL],
        ["query", "x", EVIL],
        ["query", EVIL * 9],
        ["query", "x", "--from", EVIL],
        ["query", "x", "--place", EVIL],
        ["query", "x", "--down", EVIL],
        ["query", "x", "--time", EVIL],
        ["query", "x", "--bundle", EVIL],
        ["serve", "--listen", EVIL],
        ["serve", "--workers", EVIL],
        ["keys", "generate", EVIL * 9],
        ["keys", "generate", "x", "--algorithm", EVIL],
        ["keys", EVIL],
        ["ctl", "health", "force", "x", EVIL],
        ["ctl", "health", "force", "x", "up", "--for", EVIL],
        ["diff", EVIL, EVIL],
        ["diff", "--zone", EVIL * 9],
        ["verify", EVIL],
        ["init", EVIL, "--zone", EVIL],
        ["check", "--format", EVIL],
    ],
    ids=lambda words: ascii(" ".join(words))[:40],
)
def test_wrong_usage(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lzc.toml").write_text("")
    result = CliRunner().invoke(group, words, catch_exceptions=False)
    assert result.exit_code
    assert_tame(result.output)


def evil_answer() -> dict[str, Any]:
    """What a control socket may say, each text of it hostile."""
    check = {
        "key": EVIL,
        "status": EVIL,
        "found": EVIL,
        "forced": EVIL,
        "forced_for": 5,
        "since": 1,
        "checked": 1,
        "latency": 0.5,
        "weight": 2,
        "failures": 3,
        "error": EVIL,
        "check": EVIL,
        "zone": EVIL,
    }
    counts = dict.fromkeys(
        (
            *("queries_udp", "queries_tcp", "cache_hits", "servfail", "lua", "lua_errors"),
            *("lua_instructions", "lua_memory", "lua_time", "lua_quarantine", "lua_held"),
            *("tcp_connections", "tcp_refused", "transfers", "checks", "up"),
            *("down", "unknown", "unlisted", "unlisted_limit", "unlisted_evicted", "restarts"),
            *("unlisted_refused", "barred", "computed", "index", "pid", "unsaved"),
        ),
        EVIL,
    )
    lost = ("frames_unread", "frames_slow", "frames_behind", "frames_sent")
    lines = ("lines_written", "lines_lost", "lines_behind", "lines_unchosen")
    recorder = {
        "counts": dict.fromkeys(lost, 1) | dict.fromkeys(lines, EVIL),
        "pid": 0,
        "dnstap": EVIL,
        "since": 1,
        "streaming": False,
        "query_log": 1,
    }
    failed = [{"zone": EVIL, "serial": serial, "why": EVIL} for serial in (None, 1)]
    about = {"zone": EVIL, "key": EVIL, "place": EVIL, "rule": EVIL, "problem": EVIL, "fix": EVIL}
    states = ("servfail", "at risk", "warning")
    zone = {"zone": EVIL, "serial": 1, "secondary_serial": None, "error": EVIL, "current": False}
    secondary = {"name": EVIL, "address": EVIL, "current": 0, "zones": 1, "states": [zone]}
    said = {"zone": EVIL, "at": 1, "serial": 1, "why": EVIL, "reason": EVIL}
    transfers = {"done": 1, "refused": {EVIL: 1}, "last": said, "last_refusal": said, "hint": EVIL}
    transfers |= {"kinds": {EVIL: 1}}
    secondary |= {"silent": 5.0, "ahead": 1, "notify": True, "transfers": transfers}
    return {
        "ok": True,
        "bundle": EVIL,
        "zones": EVIL,
        "loaded_at": 1,
        "built_at": 1,
        "gone": True,
        "settings": [EVIL],
        "recorder": recorder,
        "kept": {"count": 30, "rollback": EVIL, "zones": failed},
        "zones_with_key_faults": 7,
        "listen": [EVIL],
        "uptime": 5,
        "totals": counts,
        "checker": counts,
        "changed": True,
        "checks": [check],
        "geo": [{"path": EVIL, "error": EVIL, "read": 1}, {"path": EVIL, "error": "", "read": 1}],
        "tls": {
            "certificate": EVIL,
            "names": [EVIL],
            "pin": EVIL,
            "expires": 1,
            "late": True,
            "error": EVIL,
            "listen": [EVIL],
        },
        "keys": [{**about, "state": state, "workers": [EVIL]} for state in states],
        "tsig": [about],
        "refused": {"at": 1, "why": EVIL, "bundle": EVIL, "since": 1, "tries": 2},
        "fallen": {"count": 1, "why": EVIL},
        "serials_near_end": {"zones": [{"zone": EVIL, "serial": 1, "left": 1}]},
        "quarantine": [{"name": EVIL}],
        "held_zones": [EVIL],
        "workers": [{**counts, "queries_udp": 1, "queries_tcp": 1, "ready": True}],
        "secondaries": [secondary],
        "strangers": [{"address": EVIL, **transfers}],
        "target": EVIL,
        "state": EVIL,
        "seconds": 5,
        "error": EVIL,
    }


@pytest.mark.parametrize("ok", [True, False])
@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize(
    "words",
    [["status"], ["reload"], ["health"], ["health", "force", "192.0.2.1", "up"]],
    ids=" ".join,
)
def test_what_a_server_says(tmp_path: Path, words: list[str], output: str, ok: bool) -> None:
    (tmp_path / "lzc.toml").write_text('[serve]\ncontrol-socket = "s"\n')
    answer = evil_answer() | {"ok": ok}
    if words[:2] == ["health", "force"]:
        answer["checks"] = 1
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as peer:
                peer.recv(4096)
                peer.sendall(json.dumps(answer).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        given = ["ctl", *words, "-c", str(tmp_path / "lzc.toml"), "--format", output]
        result = CliRunner().invoke(group, given, catch_exceptions=False)
        thread.join()
    assert_tame(result.output)
    if output == "json":
        assert json.loads(result.stdout) == answer
    elif not ok:
        assert result.output.count("\n") == 1
    else:
        assert "another version" not in result.output


def test_faults_of_every_form(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fault = Fault(Place(EVIL, 1, 2), EVIL, EVIL, EVIL, EVIL)
    assert_tame(str(fault), commands=True)
    assert str(fault).count("\n") == 2
    show_faults([fault], "text")
    assert_tame(capsys.readouterr().err)
    (tmp_path / "a,b:c%\n.zone").write_text("")
    here = Fault(Place("a,b:c%\n.zone", 3, 4), "rule", "50%: a, b\n::error::x", "why", "fix")
    line = to_github([here], Sources(tmp_path / "lzc.toml"))
    assert "a%2Cb%3Ac%25%0A.zone,line=3,col=4,title=rule::50%25: a, b" in line
    assert line.endswith("::error::x%0AWhy: why%0AFix: fix")
    assert "\n" not in line


def test_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise RuntimeError(EVIL)
    except RuntimeError as error:
        show_traceback(type(error), error, error.__traceback__)
    said = capsys.readouterr().err
    assert "Traceback" in said and "RuntimeError: \\x1b" in said
    assert_tame(said)


class Target:
    """A web server whose reasons, headers, redirects and bodies are hostile."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                asked = peer.recv(65536)
                evil = EVIL.replace("\r", "").replace("\n", "").encode()
                if b"/moved" in asked:
                    status = b"302 " + evil + b"\r\nLocation: gopher://" + evil
                elif b"/cut" in asked:
                    status = b"\r\n" + EVIL.encode()
                elif b"/body" in asked:
                    status = b"200 OK"
                else:
                    status = b"418 " + evil + b"\r\nX: " + evil
                peer.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 3\r\n\r\nabc")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    target = Target()
    health = 'allow = ["127.0.0.0/8"]\ncomputed = ["address", "url"]\n'
    toml = f"[lua]\nenable = true\n[health]\n{health}"
    project = Project(tmp_path_factory.mktemp("log"), toml)
    base = f"http://x:{target.port}"
    here = "{{'127.0.0.1'}}"
    records = {
        "any": f";return ifurlup('{base}/any/'..qname:toString(),{here})",
        "raw": f";return ifurlup('{base}/raw/'..qname:getRawLabels()[1],{here})",
        "moved": f";return ifurlup('{base}/moved',{here})",
        "cut": f";return ifurlup('{base}/cut',{here})",
        "body": f";return ifurlup('{base}/body',{here},{{timeout=2,stringmatch='{CODE}'}})",
        "url": f";return ifurlup('{base}/{CODE}',{here})",
        "fails": f";error(qname:toString()..'{CODE}')",
        "logs": f";pdnslog('{CODE}'..qname:toString(),0) return 'x'",
        "bad": f";return qname:toString()..'{CODE}'",
        "echo": ";return qname:getRawLabels()[1]",
    }
    lines = [
        f'*.{name} LUA {kind} "{code}" ; lzc: ignore powerdns-reads-otherwise'
        for name, code in records.items()
        for kind in ("A", "TXT")
    ]
    project.build({"example.org": "\n".join(lines) + "\n"})
    with LiveServer(project) as live:
        yield live
    target.socket.close()


KINDS = ("any", "raw", "moved", "cut", "body", "url", "fails", "logs", "bad", "echo", "none")


def ask(server: LiveServer, label: bytes, kind: str, qtype: int = 1) -> None:
    qname = bytes((len(label),)) + label
    qname += b"".join(bytes((len(one),)) + one.encode() for one in (kind, "example", "org", ""))
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0" + qname + qtype.to_bytes(2, "big") + b"\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", server.port))
        sock.send(query)
        sock.recv(4096)


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_has_lines_of_ours_only(server: LiveServer, kind: str) -> None:
    hostile = EVIL.encode()
    for label in (hostile[:63], hostile[10:60], b"\n" + FORGED.encode(), b"\r\x1b[2J", b"\x9b1m"):
        for qtype in (1, 16):
            ask(server, label, kind, qtype)
    if kind in ("any", "raw", "moved", "cut", "body", "url"):
        path = {"moved": "/moved", "cut": "/cut", "body": "/body"}.get(kind, f"/{kind}/")
        path = "/\\x1b" if kind == "url" else path
        server.wait_for(lambda: any(path in line and " is down" in line for line in server.log))
    elif kind in ("fails", "logs", "bad"):
        server.wait_for(lambda: server.logged(".logs." if kind == "logs" else f"{kind}.example"))
    for line in server.log:
        assert_tame(line, commands=True)
        assert line.startswith(("INFO ", "WARNING ", "ERROR ", "lzc: serving")), line


@pytest.mark.parametrize("output", ["text", "json"])
def test_health_as_lzc_ctl_lists_it(server: LiveServer, output: str) -> None:
    ask(server, b"x\n" + FORGED.encode(), "raw")
    ask(server, EVIL.encode()[:60], "body")
    server.wait_for(lambda: server.logged("/body"))
    given = ["-c", str(server.project.config), "--format", output]
    result = CliRunner().invoke(group, ["ctl", "health", *given], catch_exceptions=False)
    assert "/body" in result.output and FORGED in result.output
    assert_tame(result.output)
    count = len(server.control("health")["checks"])
    assert output == "json" or result.output.count("\n") >= min(count, 2)


def test_a_log_record_is_one_line_whatever_it_holds() -> None:
    code = (
        "import logging, sys, warnings; from lzc.serve.observe import log_output\n"
        "log_output.set_up('%(message)s')\n"
        "evil = sys.argv[1]\n"
        "logging.getLogger('other').warning(evil)\n"
        "logging.getLogger('other').warning('%s %r', evil, evil)\n"
        "try:\n    raise ValueError(evil)\nexcept ValueError:\n    logging.exception(evil)\n"
        "warnings.warn(evil)\n"
        "logging.error('x' * 10**6)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, EVIL], stderr=subprocess.PIPE, text=True)
    assert_tame(done.stderr, commands=True)
    assert done.stderr.count("\n") == 5
    assert len(done.stderr) < 40_000
