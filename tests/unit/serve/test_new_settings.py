"""`reload` takes what `lzc.toml` says by now, on a server that goes on answering."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsigkeyring
import pytest

from fixtures.geo import make_geo
from lzc.health_check import Check
from tests.patience import PATIENCE
from tests.unit.clinic import LOCAL, listening
from tests.unit.live_server import TSIG_NAME, UNHURRIED, LiveServer, Project
from tests.unit.serve.test_geo import database
from tests.unit.serve.test_metrics import values_in
from tests.unit.serve.test_reload import Client, damage

OTHER = "b3RoZXIgc2VjcmV0IG9mIHRoZSB0ZXN0cw=="
KEY = f'[tsig."other."]\nsecret = "{OTHER}"\n'
ZONE = {"example.org": "www A 192.0.2.1\n"}


def edit(server: LiveServer, old: str, new: str) -> dict[str, object]:
    """Change the file of a server, and what it says to the reload."""
    config = server.project.config
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    return server.control("reload")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """``[serve]`` is the last table of its file."""
    project = Project(tmp_path, "[lua]\n[serve]\n")
    project.build(ZONE)
    with LiveServer(project, workers=2) as running:
        yield running


def chaos(server: LiveServer, name: str) -> set[str]:
    """What all workers say of themselves."""
    found = set()
    for _ in range(16):
        query = dns.message.make_query(name, "TXT", rdclass=dns.rdataclass.CH)
        answer = dns.query.udp(query, LOCAL, timeout=PATIENCE, port=server.port)
        found.add(str(answer.answer[0][0]) if answer.answer else dns.rcode.to_text(answer.rcode()))
    return found


def test_identity_and_edns(server: LiveServer) -> None:
    assert chaos(server, "id.server") == {"REFUSED"}
    answer = edit(
        server,
        "[serve]\n",
        "[serve]\nserver-id = 'one'\nversion = 'two'\nnsid = 'three'\nudp-payload-size = 512\n",
    )
    keys = ["[serve] udp-payload-size", "[serve] nsid", "[serve] server-id", "[serve] version"]
    assert answer["ok"] and answer["settings"] == keys
    assert chaos(server, "id.server") == {'"one"'}
    assert chaos(server, "version.bind") == {'"two"'}
    nsid = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")
    said = server.ask("www.example.org", use_edns=0, options=[nsid])
    assert said.payload == 512
    assert [one.to_wire() for one in said.options] == [b"three"]
    assert server.control("reload")["settings"] == []


def test_a_cookie_is_required_as_the_file_says(server: LiveServer) -> None:
    def truncated() -> set[bool]:
        asked = (server.ask(f"www{n}.example.org") for n in range(8))
        return {bool(one.flags & dns.flags.TC) for one in asked}

    assert truncated() == {False}
    assert edit(server, "[serve]\n", "[serve]\nrequire-cookie = 1\n")["ok"]
    assert truncated() == {True}
    assert edit(server, "require-cookie = 1\n", "")["ok"]
    assert truncated() == {False}


def test_the_packet_cache_has_the_size_that_the_file_says(server: LiveServer) -> None:
    def hits() -> int:
        """Cache hits, after so many queries that there are some if there can be."""
        before = server.control("status")["totals"]
        for _ in range(64):
            server.ask("www.example.org")
        server.wait_for(
            lambda: server.control("status")["totals"]["queries_udp"] - before["queries_udp"] == 64
        )
        return int(server.control("status")["totals"]["cache_hits"] - before["cache_hits"])

    assert hits()
    assert edit(server, "[serve]\n", "[serve]\npacket-cache = 0\n")["ok"]
    assert hits() == 0
    assert edit(server, "packet-cache = 0", "packet-cache = 100")["ok"]
    assert hits()


def connected(server: LiveServer) -> socket.socket:
    sock = socket.create_connection((LOCAL, server.port), timeout=PATIENCE)
    query = dns.message.make_query("www.example.org", "A").to_wire()
    sock.sendall(struct.pack("!H", len(query)) + query)
    return sock


def is_gone(sock: socket.socket) -> bool:
    """The other side has closed it, with a reset where it had more to say."""
    try:
        return sock.recv(4096) == b""
    except ConnectionResetError:
        return True


def test_limits_of_tcp_connections_and_their_idle_time(tmp_path: Path) -> None:
    project = Project(tmp_path, "[serve]\n")
    project.build(ZONE)
    with LiveServer(project) as server:
        early = [connected(server) for _ in range(3)]
        assert all(one.recv(4096) for one in early)
        assert edit(server, "[serve]\n", "[serve]\ntcp-connections-per-client = 2\n")["ok"]
        late = connected(server)
        # The one that was quiet longest makes room.
        assert is_gone(early[0])
        assert edit(server, "per-client = 2\n", "per-client = 9\ntcp-idle-timeout = 0.1\n")["ok"]
        assert late.recv(4096)
        assert late.recv(4096) == b""
        for one in (*early, late):
            one.close()


def transfer(server: LiveServer, key: str = "other.", secret: str = OTHER) -> str:
    query = dns.message.make_query("example.org", "AXFR")
    query.use_tsig(dns.tsigkeyring.from_text({key: secret}), key)
    with socket.create_connection((LOCAL, server.port), timeout=PATIENCE) as sock:
        wire = query.to_wire()
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        return dns.rcode.Rcode(sock.recv(4096)[5] & 15).name


def test_secondaries_keys_and_who_may_transfer(server: LiveServer) -> None:
    assert transfer(server) == "NOTAUTH"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as secondary:
        secondary.bind((LOCAL, 0))
        secondary.settimeout(PATIENCE)
        port = secondary.getsockname()[1]
        section = f'[[secondary]]\nname = "ns2"\naddress = "{LOCAL}:{port}"\ntsig = "other."\n'
        assert edit(server, "[serve]\n", f"{KEY}{section}[serve]\nallow-transfer = []\n")["ok"]
        keyring = dns.tsigkeyring.from_text({"other.": OTHER})
        notify = dns.message.from_wire(secondary.recv(4096), keyring=keyring)
        assert notify.had_tsig and notify.opcode() == dns.opcode.NOTIFY
        assert transfer(server) == "NOERROR"
        assert [one["name"] for one in server.control("status")["secondaries"]] == ["ns2"]
        # The other key's secondary is none, and its address is not listed any more.
        assert transfer(server, TSIG_NAME, "c2VjcmV0IG9mIHRoZSB0ZXN0cw==") == "REFUSED"
        known = server.control("status")["secondaries"][0]["transfers"]["done"]
        more = '[[secondary]]\nname = "ns3"\naddress = "127.0.0.1:9"\ntsig = "other."\n'
        assert edit(server, section, section + more)["ok"]
        said = {one["name"]: one for one in server.control("status")["secondaries"]}
        assert set(said) == {"ns2", "ns3"} and said["ns2"]["transfers"]["done"] >= known
        assert edit(server, section + more, "")["ok"]
        assert server.control("status")["secondaries"] == []
        assert transfer(server) == "REFUSED"
        assert edit(server, KEY, "")["ok"]
        assert transfer(server) == "NOTAUTH"


LONG = "\"; local x = 0 for i = 1, 5000 do x = x + i end return '192.0.2.7'\""


def test_limits_of_lua(tmp_path: Path) -> None:
    project = Project(tmp_path, UNHURRIED)
    project.build({"example.org": f"long LUA A {LONG}\n"})
    with LiveServer(project, workers=2) as server:

        def codes() -> set[str]:
            return {dns.rcode.to_text(server.ask("long.example.org").rcode()) for _ in range(8)}

        assert codes() == {"SERVFAIL"}
        assert edit(server, "[lua]\n", "[lua]\nexec-limit = 100000\n")["ok"]
        assert codes() == {"NOERROR"}
        assert edit(server, "100000", "100")["ok"]
        assert codes() == {"SERVFAIL"}
        assert edit(server, "exec-limit = 100\n", "exec-limit = 0\n")["ok"]
        assert codes() == {"NOERROR"}


def test_what_health_checks_may_reach_and_how_many_there_may_be(tmp_path: Path) -> None:
    sock, port = listening()
    project = Project(tmp_path, "[lua]\nenable = true\nhealth-check-interval = 3600\n")
    project.build(
        {"example.org": f"www LUA A \"ifportup({port}, {{'{LOCAL}'}})\"\n"},
        checks=[Check(LOCAL, port)],
    )
    with sock, LiveServer(project) as server:

        def counts() -> dict[str, int]:
            return server.control("status")["checker"]  # type: ignore[no-any-return]

        def accepted() -> bool:
            sock.accept()[0].close()
            return True

        server.wait_for(lambda: counts()["up"] == 1)
        pid = counts()["pid"]
        assert accepted()
        # The next would be in an hour.
        assert edit(server, "health-check-interval = 3600", "health-check-interval = 1")["ok"]
        assert accepted()
        assert edit(server, "[health]\n", f'[health]\ndeny = ["{LOCAL}"]\n')["ok"]
        server.wait_for(lambda: counts()["barred"] == 1 and counts()["checks"] == 0)
        assert edit(server, f'deny = ["{LOCAL}"]\n', "")["ok"]
        server.wait_for(lambda: counts()["up"] == 1)
        assert edit(server, "[lua]\n", "[lua]\nunlisted-health-checks = 7\n")["ok"]
        assert (counts()["unlisted_limit"], counts()["unlisted_share"]) == (7, 7)
        assert counts()["pid"] == pid and counts()["restarts"] == 0


def test_geo_databases_come_and_go_and_one_that_is_missing_changes_nothing(tmp_path: Path) -> None:
    for name, place in (("one", make_geo.TOKYO), ("two", make_geo.LONDON)):
        database(tmp_path / f"{name}.mmdb", place)
    project = Project(tmp_path, f"{UNHURRIED}[serve]\n")
    project.build({"example.org": 'here LUA TXT "countryCode()"\n'})
    with LiveServer(project, workers=2) as server:

        def here() -> set[str]:
            return {*(text for _ in range(8) for text in server.answers("here.example.org", "TXT"))}

        nowhere = here()
        assert edit(server, "[serve]\n", '[serve]\ngeoip = ["one.mmdb"]\n')["ok"]
        assert here() == {'"jp"'}
        assert edit(server, '"one.mmdb"', '"two.mmdb", "one.mmdb"')["ok"]
        assert here() == {'"gb"'}
        answer = edit(server, '"two.mmdb"', '"three.mmdb"')
        assert not answer["ok"] and answer["settings"] == []
        assert "the settings stay as they were" in str(answer["error"])
        assert f"{tmp_path}/three.mmdb: error: the geo database cannot be read" in answer["error"]  # type: ignore[operator]
        assert here() == {'"gb"'}
        # One in use that is gone from the disk is used on, and other settings can be changed.
        (tmp_path / "two.mmdb").unlink()
        assert edit(server, '"three.mmdb"', '"two.mmdb"')["ok"]
        assert edit(server, "[serve]\n", "[serve]\nserver-id = 'x'\n")["ok"]
        assert here() == {'"gb"'}
        assert edit(server, '"two.mmdb", ', "")["ok"]
        assert here() == {'"jp"'}
        # They are followed where there were none at the start.
        database(tmp_path / "one.mmdb", make_geo.SYDNEY)
        server.wait_for(lambda: here() == {'"au"'})
        assert edit(server, 'geoip = ["one.mmdb"]\n', "")["ok"]
        assert here() == nowhere
        kept = [*(tmp_path / "build").rglob("geo-*.mmdb")]
        assert kept == []


def test_keys_that_moved_with_the_bundle_that_they_sign(tmp_path: Path) -> None:
    project = Project(tmp_path, '[dnssec]\nkeystore = "keys"\n[serve]\n')
    project.build(ZONE, signed=["example.org"])
    with LiveServer(project) as server:
        (tmp_path / "keys").rename(tmp_path / "others")
        assert not server.control("reload")["ok"]
        assert edit(server, 'keystore = "keys"', 'keystore = "others"')["ok"]
        assert server.control("reload")["ok"]
        said = server.ask("www.example.org", want_dnssec=True)
        assert any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in said.answer)


def test_settings_count_though_the_live_bundle_is_damaged(
    server: LiveServer, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    damage(server.project, tmp_path / "other")
    answer = edit(server, "[serve]\n", "[serve]\nserver-id = 'x'\n")
    assert not answer["ok"] and answer["settings"] == ["[serve] server-id"]
    assert chaos(server, "id.server") == {'"x"'}
    assert server.answers("www.example.org") == ["192.0.2.1"]


def test_a_broken_file_changes_no_setting_and_the_bundle_is_followed(server: LiveServer) -> None:
    assert edit(server, "[serve]\n", "[serve]\nserver-id = 'x'\n")["ok"]
    server.project.build({"example.org": "www A 192.0.2.2\n"}, serial=2)
    lines = server.project.config.read_text().splitlines()
    answer = edit(server, "server-id = 'x'\n", "server-id = 'y'\nnsid = 1\n")
    line = lines.index("server-id = 'x'") + 2
    assert not answer["ok"] and answer["settings"] == []
    assert f"{server.project.config}:{line}:" in str(answer["error"])
    assert chaos(server, "id.server") == {'"x"'}
    assert server.answers("www.example.org") == ["192.0.2.2"]
    assert edit(server, "nsid = 1\n", "")["ok"]
    assert chaos(server, "id.server") == {'"y"'}


def test_keys_that_have_to_wait_are_named_and_all_others_count(server: LiveServer) -> None:
    answer = edit(
        server,
        "[serve]\n",
        "[serve]\ncontrol-socket = 'other.sock'\nserver-id = 'x'\n[build]\noutput = 'elsewhere'\n",
    )
    assert not answer["ok"] and answer["settings"] == ["[serve] server-id"]
    error = str(answer["error"])
    assert "in force: [serve] server-id, but:" in error
    assert "has to be started again for this to count: [build] output, [serve] control-" in error
    assert chaos(server, "id.server") == {'"x"'}
    assert "control-socket" in server.control("status")["settings"]
    server.project.build({"example.org": "www A 192.0.2.3\n"}, serial=3)
    server.wait_for(lambda: server.answers("www.example.org") == ["192.0.2.3"])
    assert edit(server, "control-socket = 'other.sock'\n", "")["ok"] is False
    assert edit(server, "[build]\noutput = 'elsewhere'\n", "")["ok"]
    assert server.control("status")["settings"] == ""


def test_a_worker_that_is_replaced_has_the_settings_of_the_time(server: LiveServer) -> None:
    assert edit(server, "[serve]\n", "[serve]\nserver-id = 'x'\n")["ok"]
    pids = [one["pid"] for one in server.control("status")["workers"]]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)

    def replaced() -> bool:
        workers = server.control("status")["workers"]
        return all(one["ready"] and one["pid"] not in pids for one in workers)

    server.wait_for(replaced)
    assert chaos(server, "id.server") == {'"x"'}


class Caller(threading.Thread):
    """Asks one query after the other, each from a port of its own, over UDP or TCP."""

    def __init__(self, port: int, *, tcp: bool) -> None:
        super().__init__()
        self._port = port
        self._send: Callable[..., dns.message.Message] = dns.query.tcp if tcp else dns.query.udp
        self.stopped = threading.Event()
        self.asked = 0
        self.lost: list[str] = []

    def run(self) -> None:
        while not self.stopped.is_set():
            self.asked += 1
            query = dns.message.make_query("www.example.org", "A")
            try:
                answer = self._send(query, LOCAL, timeout=PATIENCE, port=self._port)
                assert answer.answer
            except Exception as error:  # whatever it is, this one was lost
                self.lost.append(repr(error))


def all_get_on(server: LiveServer, callers: list[Caller | Client]) -> None:
    """Until each of them has asked some more."""
    goals = [(caller, caller.asked + 20) for caller in callers]
    server.wait_for(lambda: all(caller.asked > goal for caller, goal in goals))


def test_workers_come_and_go_under_load_and_no_query_is_lost(tmp_path: Path) -> None:
    project = Project(tmp_path, "[serve]\nworkers = 1\n")
    project.build(ZONE)
    with LiveServer(project, workers=None) as server:
        callers: list[Caller | Client] = [
            *(Caller(server.port, tcp=False) for _ in range(2)),
            Caller(server.port, tcp=True),
            Client(server.port),
        ]
        for caller in callers:
            caller.start()
        now = 1
        for count in (3, 1, 2, 3, 1):
            assert edit(server, f"workers = {now}", f"workers = {count}")["ok"]
            now = count
            workers = server.control("status")["workers"]
            assert [one["ready"] for one in workers] == [True] * count
            all_get_on(server, callers)
        for caller in callers:
            caller.stopped.set()
        for caller in callers:
            caller.join(PATIENCE)
        assert [caller.lost for caller in callers] == [[], [], [], 0]
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        # The worker and the checker.
        server.wait_for(lambda: len(children.read_text().split()) == 2)


def test_workers_that_the_command_line_says_stay(server: LiveServer) -> None:
    assert edit(server, "[serve]\n", "[serve]\nworkers = 5\n")["ok"]
    assert len(server.control("status")["workers"]) == 2


def reloads(server: LiveServer) -> dict[str, float]:
    """How many ended in which way."""
    found = values_in(server.control("metrics")["text"])
    names = {result: f'lzc_reloads_total{{result="{result}"}}' for result in RESULTS}
    return {result: found[name] for result, name in names.items() if found[name]}


RESULTS = ("done", "refused", "incomplete", "settings")


def test_a_reload_is_counted_once_by_what_came_of_it(server: LiveServer, tmp_path: Path) -> None:
    def counted(answer: dict[str, object]) -> dict[str, float]:
        server.wait_for(lambda: sum(reloads(server).values()) == sum(known.values()) + 1)
        now = reloads(server)
        more = {name: now[name] - known.get(name, 0) for name in now}
        known.update(now)
        assert answer["ok"] is (more.get("done") == 1)
        return {name: count for name, count in more.items() if count}

    known: dict[str, float] = {}
    assert counted(edit(server, "[serve]\n", "[serve]\nserver-id = 'x'\n")) == {"done": 1}
    assert counted(server.control("reload")) == {"done": 1}
    # A file that is not there, a value that is none, and a key that has to wait.
    assert counted(edit(server, "'x'\n", "'y'\ngeoip = ['none.mmdb']\n")) == {"settings": 1}
    assert counted(edit(server, "geoip = ['none.mmdb']", "nsid = 1")) == {"settings": 1}
    assert counted(edit(server, "nsid = 1", "control-socket = 'other'")) == {"settings": 1}
    assert counted(edit(server, "control-socket = 'other'\n", "")) == {"done": 1}
    (tmp_path / "other").mkdir()
    damage(server.project, tmp_path / "other")
    server.wait_for(lambda: reloads(server).get("refused"))
    known = reloads(server)
    assert counted(edit(server, "'y'\n", "'z'\ngeoip = ['none.mmdb']\n")) == {"refused": 1}
