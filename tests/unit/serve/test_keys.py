"""What is wrong with the keys of one zone stays with that zone, and is told in the same words."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import pytest

from lzc.dnssec.keystore.keystore import FLAGS, Keystore, base_name
from lzc.wire import name as wire_name
from tests.patience import PATIENCE
from tests.unit.command_line import lzc
from tests.unit.live_server import (
    TSIG_NAME,
    TSIG_SECRET,
    LiveServer,
    Project,
    query_wire,
    udp_socket,
)

ZONES = {
    "one.example": "www A 192.0.2.1\nto A 192.0.2.3\nalias CNAME www.two.example.\n",
    "two.example": "www A 192.0.2.2\n",
    "three.example": "www A 192.0.2.3\n",
}
OTHERS = ("one.example", "three.example")


def private(project: Project, zone: str = "two.example") -> Path:
    """The file of a zone's key."""
    store = Keystore(project.folder / "keys")
    (key,) = store.load(wire_name.from_text(zone, wire_name.ROOT))
    return store.path / f"{base_name(key)}.private"


def gone(file: Path) -> None:
    file.unlink()


def exposed(file: Path) -> None:
    file.chmod(0o644)


def damaged(file: Path) -> None:
    file.write_text(file.read_text().replace("PrivateKey: ", "PrivateKey: ?"))


def expired(file: Path) -> None:
    file.write_text(file.read_text() + "Inactive: 20200101000000\n")


FAULTS: dict[Callable[[Path], None], str] = {
    gone: "which is not here",
    exposed: "the private key is open to other users (mode 0644)",
    damaged: "PrivateKey is not base64",
    expired: "is retired since 2020-01-01 00:00 UTC (Inactive)",
}
"""What is done to a key, and how it is told."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.build(ZONES, signed=ZONES)
    return made


class Load(threading.Thread):
    """Asks for a name of every other zone, one query after the other, plain and signed."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.stopped = threading.Event()
        self.asked = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        with udp_socket(self._port) as sock:
            sock.settimeout(PATIENCE)
            while not self.stopped.is_set() and self.asked < 1_000_000:
                for zone in OTHERS:
                    self.asked += 1
                    query = dns.message.make_query(
                        f"www.{zone}", "A", want_dnssec=self.asked % 3 == 0
                    )
                    query.id = self.asked & 0xFFFF
                    sock.send(query.to_wire())
                    try:
                        answer = dns.message.from_wire(sock.recv(4096))
                    except TimeoutError:
                        self.wrong.append(f"no answer for {zone}")
                        continue
                    if not answer.answer or answer.rcode():
                        self.wrong.append(f"{zone}: {answer.rcode()}")


@pytest.fixture
def server(project: Project) -> Iterator[LiveServer]:
    with LiveServer(project, workers=2) as running:
        yield running


def states(server: LiveServer) -> dict[str, str]:
    return {one["zone"]: one["state"] for one in server.control("status")["keys"]}


def restart_workers(server: LiveServer) -> None:
    """Kill each worker, and wait for another in its place."""
    for one in server.control("status")["workers"]:
        os.kill(one["pid"], signal.SIGKILL)

        def replaced(index: int = one["index"], pid: int = one["pid"]) -> bool:
            now = server.control("status")["workers"][index]
            return bool(now["ready"]) and now["pid"] != pid

        server.wait_for(replaced)


def rcodes(server: LiveServer, zone: str = "two.example") -> set[str]:
    """Plain and signed, for a name that is there and one that is not, by UDP and TCP."""
    return {
        dns.rcode.to_text(server.ask(f"{label}.{zone}", tcp=tcp, want_dnssec=signed).rcode())
        for label in ("www", "nothing")
        for tcp in (False, True)
        for signed in (False, True)
    }


def test_the_keys_of_one_zone_are_no_matter_to_the_others(server: LiveServer) -> None:
    """Gone, exposed, damaged, expired, in turn, under load and across restarts of all workers."""
    project = server.project
    file = private(project)
    kept = file.read_bytes()
    load = Load(server.port)
    load.start()
    try:
        for spoil, words in FAULTS.items():
            spoil(file)
            refused = lzc(project.folder, "ctl", "reload")
            assert refused.exit_code == 1
            assert words in refused.stderr
            assert rcodes(server) == {"NOERROR", "NXDOMAIN"}, "what was read before goes on"

            restart_workers(server)
            server.wait_for(lambda: states(server).get("two.example.") == "servfail")
            assert rcodes(server) == {"SERVFAIL"}
            assert set(states(server)) == {"two.example."}
            status = lzc(project.folder, "ctl", "status").stdout
            (line,) = [line for line in status.splitlines() if line.startswith("SERVFAIL")]
            assert words in line
            assert "all of two.example., by worker 0, 1" in line
            assert server.logged("ZONE OUT OF SERVICE: all of two.example. is SERVFAIL")
            assert server.logged(words)
            again = lzc(project.folder, "ctl", "reload")
            assert again.exit_code == 1
            assert words in again.stderr

            file.touch(0o600)
            file.chmod(0o600)
            file.write_bytes(kept)
            server.wait_for(lambda: not states(server))
            assert rcodes(server) == {"NOERROR", "NXDOMAIN"}
            assert lzc(project.folder, "ctl", "reload").exit_code == 0
    finally:
        load.stopped.set()
        load.join()
    assert load.wrong == []
    assert load.asked > 100
    assert not any("cannot start" in line for line in server.log)
    assert not any("b'" in line for line in server.log)


@pytest.mark.parametrize("spoil", FAULTS)
def test_a_server_starts_with_a_zone_whose_keys_are_unusable(
    project: Project, spoil: Callable[[Path], None]
) -> None:
    spoil(private(project))
    with LiveServer(project) as server:
        assert rcodes(server) == {"SERVFAIL"}
        assert server.answers("www.one.example") == ["192.0.2.1"]
        assert states(server) == {"two.example.": "servfail"}
        assert server.logged(FAULTS[spoil])


def no_folder(keys: Path) -> None:
    shutil.rmtree(keys)


def no_folder_but_a_file(keys: Path) -> None:
    shutil.rmtree(keys)
    keys.write_text("")


def writable(keys: Path) -> None:
    keys.chmod(0o777)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_folder, "there is no such folder"),
        (no_folder_but_a_file, "the keystore cannot be read: Not a directory"),
        (writable, "other users can write into the keystore"),
    ],
)
def test_without_a_keystore_the_unsigned_zones_go_on(
    project: Project, spoil: Callable[[Path], None], words: str
) -> None:
    project.build(ZONES, signed=["two.example", "three.example"])
    spoil(project.folder / "keys")
    with LiveServer(project) as server:
        assert rcodes(server) == {"SERVFAIL"}
        assert rcodes(server, "one.example") == {"NOERROR", "NXDOMAIN"}
        assert states(server) == {"two.example.": "servfail", "three.example.": "servfail"}
        assert server.logged(words)


def test_an_alias_into_a_zone_out_of_service_is_answered(project: Project) -> None:
    gone(private(project))
    with LiveServer(project) as server:
        answer = server.ask("alias.one.example", want_dnssec=True)
        assert answer.rcode() == dns.rcode.NOERROR
        assert [rrset.rdtype.name for rrset in answer.answer] == ["CNAME", "RRSIG"]


def test_a_zone_out_of_service_goes_on_to_its_secondaries(tmp_path: Path) -> None:
    """Transfers carry no signatures. A secondary that learns no serial would let it expire."""
    project = Project(
        tmp_path,
        f'[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:1"\ntsig = "{TSIG_NAME}"\n'
        'software = "powerdns-5.1"\nnotify = false\n',
    )
    project.build(ZONES, signed=ZONES)
    gone(private(project))
    keyring = dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET})
    with LiveServer(project) as server:
        for signed in (False, True):
            query = dns.message.make_query("two.example", "SOA", want_dnssec=signed)
            query.use_tsig(keyring, TSIG_NAME)
            answer = dns.query.udp(query, "127.0.0.1", port=server.port, timeout=PATIENCE)
            assert [rrset.rdtype.name for rrset in answer.answer] == ["SOA"]
            assert answer.flags & dns.flags.AA
        query = dns.message.make_query("two.example", "AXFR")
        query.use_tsig(keyring, TSIG_NAME)
        answer = dns.query.tcp(query, "127.0.0.1", port=server.port, timeout=PATIENCE)
        assert answer.rcode() == dns.rcode.NOERROR
        assert len(answer.answer) > 1


def test_keys_that_retire_while_they_are_used(project: Project) -> None:
    """Nothing is read again, and nobody asks the zone: it goes out of service by the clock."""
    file = private(project)
    end = int(time.time()) + 3
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(end))
    file.write_text(file.read_text() + f"Inactive: {stamp}\n")
    with LiveServer(project) as server:
        server.wait_for(lambda: states(server).get("two.example.") == "servfail")
        assert time.time() >= end
        assert rcodes(server) == {"SERVFAIL"}
        assert server.logged(f"is retired since {time.strftime('%Y-%m-%d', time.gmtime(end))}")
        reload = lzc(project.folder, "ctl", "reload")
        assert reload.exit_code == 1
        assert "has no active key: key" in reload.stderr


def test_keys_that_run_out_are_told_while_the_server_runs(project: Project) -> None:
    file = private(project)
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 5.5 * 86400))
    file.write_text(file.read_text() + f"Inactive: {stamp}\n")
    with LiveServer(project) as server:
        server.wait_for(lambda: states(server) == {"two.example.": "warning"})
        status = lzc(project.folder, "ctl", "status").stdout
        assert re.search(r"^KEYS +two\.example\.: .* on, in 5 days: key \d+ retires", status, re.M)
        assert server.logged("WARNING KEYS: two.example.")
        assert rcodes(server) == {"NOERROR", "NXDOMAIN"}


def signing(server: LiveServer, zone: str) -> set[int]:
    """The tags of the keys that sign a name of a zone, by what is answered."""
    answer = server.ask(f"www.{zone}", want_dnssec=True)
    return {
        rdata.key_tag
        for rrset in answer.answer
        if rrset.rdtype == dns.rdatatype.RRSIG
        for rdata in rrset
    }


def test_a_step_of_lzc_keys_is_followed_without_a_reload(tmp_path: Path) -> None:
    project = Project(tmp_path)
    store = Keystore(project.folder / "keys")
    apex = wire_name.from_text("two.example.", wire_name.ROOT)
    tags = {key.tag for _ in range(2) for key in store.generate(apex, 13, FLAGS["csk"], 0.0)}
    project.build(ZONES, signed=ZONES)
    first, second = sorted(tags)
    with LiveServer(project) as server:
        assert signing(server, "two.example") == tags
        assert lzc(project.folder, "keys", "retire", "two.example", str(first)).exit_code == 0
        server.wait_for(lambda: signing(server, "two.example") == {second})
        assert lzc(project.folder, "keys", "activate", "two.example", str(first)).exit_code == 0
        server.wait_for(lambda: signing(server, "two.example") == tags)
        assert rcodes(server) == {"NOERROR", "NXDOMAIN"}


def test_sealed_keys_sign_and_a_secret_that_does_not_fit_stops_their_zones(tmp_path: Path) -> None:
    project = Project(tmp_path, '[dnssec]\nkeystore-passphrase-file = "words"\n')
    (project.folder / "words").touch(0o600)
    (project.folder / "words").write_text("correct horse\n")
    project.build(ZONES, signed=["two.example"])
    assert lzc(project.folder, "keys", "encrypt").exit_code == 0
    with LiveServer(project) as server:
        assert len(signing(server, "two.example")) == 1
        assert lzc(project.folder, "ctl", "reload").exit_code == 0
        (project.folder / "words").write_text("wrong\n")
        reload = lzc(project.folder, "ctl", "reload")
        assert reload.exit_code == 1
        assert "cannot be opened: it was sealed with another secret" in reload.stderr
        assert len(signing(server, "two.example")) == 1
        assert not server.logged("horse")
    with LiveServer(project) as server:
        server.wait_for(lambda: states(server).get("two.example.") == "servfail")
        assert server.answers("www.one.example")


TWO_KEYS = """\
[tsig."good."]
secret = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
[tsig."bad."]
secret-file = "bad.tsig"
[[secondary]]
name = "ns2"
address = "127.0.0.1:{port}"
tsig = "bad."
"""


def test_a_tsig_secret_that_cannot_be_used_stays_with_who_uses_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as secondary:
        secondary.bind(("127.0.0.1", 0))
        secondary.setblocking(False)
        project = Project(tmp_path, TWO_KEYS.format(port=secondary.getsockname()[1]))
        project.build(ZONES)
        secret = tmp_path / "bad.tsig"
        secret.write_text(TSIG_SECRET)
        secret.chmod(0o644)
        with LiveServer(project) as server:
            assert server.answers("www.one.example") == ["192.0.2.1"]
            assert server.logged("TSIG KEY OUT OF SERVICE")
            (one,) = server.control("status")["secondaries"]
            assert "TSIG key bad. cannot be used" in one["states"][0]["error"]
            assert "TSIG KEY    bad." in lzc(tmp_path, "ctl", "status").stdout
            assert transfer(server, "bad.") == dns.rcode.NOTAUTH
            assert transfer(server, "good.") == dns.rcode.NOERROR
            with pytest.raises(BlockingIOError):
                secondary.recv(512)
            again = lzc(tmp_path, "ctl", "reload")
            assert again.exit_code == 1
            assert "is open to other users" in again.stderr

            secret.chmod(0o600)
            assert lzc(tmp_path, "ctl", "reload").exit_code == 0
            assert transfer(server, "bad.") == dns.rcode.NOERROR

            secret.unlink()
            assert lzc(tmp_path, "ctl", "reload").exit_code == 1
            restart_workers(server)
            assert transfer(server, "bad.") == dns.rcode.NOERROR, "what was read before goes on"


def transfer(server: LiveServer, key: str) -> int:
    query = dns.message.make_query("one.example", "AXFR")
    query.use_tsig(dns.tsigkeyring.from_text({key: TSIG_SECRET}), key)
    wire = query.to_wire()
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
        sock.sendall(len(wire).to_bytes(2, "big") + wire)
        return sock.recv(12)[5] & 15


def test_no_secret_that_changes_keeps_a_worker_from_starting(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\ncookie-secret-file = "cookie"\n')
    project.build(ZONES)
    secret = tmp_path / "cookie"
    secret.touch(0o600)
    secret.write_text("00" * 16)
    with LiveServer(project) as server:
        secret.unlink()
        restart_workers(server)
        sock = udp_socket(server.port)
        sock.send(query_wire("www.one.example"))
        assert dns.message.from_wire(sock.recv(4096)).answer
        sock.close()
        assert not any("cannot start" in line for line in server.log)
