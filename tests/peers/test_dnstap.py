"""dnstap: what fstrm_capture writes down is what was asked and answered, as dnstap-read has it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.patience import PATIENCE, SOON
from tests.peers._peers import presence
from tests.unit.live_server import LiveServer, Project, query_wire, udp_socket

ZONE = {"example.org": "www A 192.0.2.1\n"}
SETTINGS = '[serve]\nserver-id = "ns1.test"\ndnstap = "tap.sock"\n'


@contextmanager
def capture(folder: Path, name: str) -> Iterator[Path]:
    """A reader at the socket; what it wrote is whole once the block ends."""
    presence.require("fstrm_capture", "dnstap-read")
    sock, file = folder / "tap.sock", folder / name
    sock.unlink(missing_ok=True)
    program = presence.find("fstrm_capture")
    assert program is not None
    process = subprocess.Popen(
        [program, "-t", "protobuf:dnstap.Dnstap", "-u", str(sock), "-w", str(file)],
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + PATIENCE
        while not sock.exists():
            assert time.monotonic() < end
            time.sleep(SOON)
        yield file
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def read(file: Path, *options: str) -> str:
    done = subprocess.run(
        ["dnstap-read", *options, str(file)], capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"])
def test_a_reader_sees_each_query_and_each_answer(tmp_path: Path, host: str) -> None:
    project = Project(tmp_path, SETTINGS)
    project.build(ZONE)
    own = "::1" if host.startswith("[") else "127.0.0.1"
    family = socket.AF_INET6 if ":" in own else socket.AF_INET
    before = time.time()
    serving = LiveServer(project, listen=[f"{host}:0"])
    with capture(tmp_path, "tap.fstrm") as file, serving as server:
        found = re.search(r":(\d+), 1 worker", "\n".join(server.log))
        assert found is not None
        port = int(found[1])
        server.wait_for(lambda: server.logged("is read"))
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.connect((own, port))
            ours = sock.getsockname()[1]
            answers = []
            for number, name in enumerate(["www.example.org"] * 3 + ["none.example.org"]):
                sock.send(query_wire(name, ident=number))
                answers.append(dns.message.from_wire(sock.recv(4096)))
        with socket.create_connection((own, port)) as stream:
            dns.query.send_tcp(stream, dns.message.make_query("example.org", "SOA"))
            dns.query.receive_tcp(stream)
            over_tcp = stream.getsockname()[1]
    lines = read(file).splitlines()
    after = time.time()
    where = rf"{re.escape(own)}:{ours} (->|<-) {re.escape(own)}:{port} UDP \d+b"
    udp = [line for line in lines if re.search(where, line)]
    assert [re.sub(r".* (AQ|AR) .* (\S+/IN/A)$", r"\1 \2", line) for line in udp] == [
        line
        for name in ["www.example.org"] * 3 + ["none.example.org"]
        for line in (f"AQ {name}/IN/A", f"AR {name}/IN/A")
    ]
    tcp = [line for line in lines if f":{over_tcp} " in line]
    assert [" ".join(line.split()[2:]) for line in tcp] == [
        f"AQ {own}:{over_tcp} -> {own}:{port} TCP {len(query_wire('example.org', 'SOA'))}b"
        " example.org/IN/SOA",
        *[" ".join(line.split()[2:]) for line in tcp[1:]],
    ]
    assert len(lines) == len(udp) + len(tcp)
    for sent, octets in zip(answers, [udp[1], udp[3], udp[5], udp[7]], strict=True):
        assert f" {len(sent.to_wire())}b " in octets
    whole = read(file, "-y")
    assert set(re.findall(r"identity: (\S+)", whole)) == {"ns1.test"}
    assert set(re.findall(r"version: (.+)", whole)) == {"lzc 0.1.0"}
    assert Counter(re.findall(r"  type: (AUTH_\w+)", whole)) == {
        "AUTH_QUERY": 5,
        "AUTH_RESPONSE": 5,
    }
    assert set(re.findall(r"socket_family: (\S+)", whole)) == {"INET6" if ":" in own else "INET"}
    assert Counter(re.findall(r"status: (\S+)", whole))["NXDOMAIN"] == 1
    for stamp in re.findall(r"_time: !!timestamp (\S+)", whole):
        read_back = _seconds(stamp)
        assert before - 1 <= read_back <= after + 1


def test_one_message_may_have_both(tmp_path: Path) -> None:
    project = Project(tmp_path, f'{SETTINGS}dnstap-messages = "responses"\n')
    project.build(ZONE)
    with capture(tmp_path, "tap.fstrm") as file, LiveServer(project) as server:
        server.wait_for(lambda: server.logged("is read"))
        query = query_wire("www.example.org", ident=4711)
        with udp_socket(server.port) as sock:
            sock.send(query)
            answer = sock.recv(4096)
        server.ask("www.example.org", tcp=True)
    # dnstap-read shows the answer alone.
    assert re.findall(r"  type: (AUTH_\w+)", read(file, "-y")) == ["AUTH_RESPONSE"] * 2
    assert file.read_bytes().count(query) == file.read_bytes().count(answer) == 1
    assert [line.split()[2] for line in read(file).splitlines()] == ["AR"] * 2


@pytest.mark.parametrize("sample", [1, 0.3])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_many_at_once_are_seen_one_by_one_and_silence_too(
    tmp_path: Path, sample: float, host: str
) -> None:
    """Given more than are read at once, each of its own length, some of which get no answer, from
    two clients; all are there, or the share that is asked for, a query with its answer."""
    project = Project(tmp_path, f"{SETTINGS}dnstap-sample = {sample}\n")
    project.build({"example.org": "* A 192.0.2.1\n"})
    own, family = ("::1", socket.AF_INET6) if host == "[::1]" else ("127.0.0.1", socket.AF_INET)
    serving = LiveServer(project, listen=[f"{host}:0"])
    names = [f"{'n' * (number % 60 + 1)}{number}.example.org" for number in range(300)]
    silent = {f"{name}/IN/A" for name in names[::7]}
    with capture(tmp_path, "tap.fstrm") as file, serving as server:
        found = re.search(r":(\d+), 1 worker", "\n".join(server.log))
        assert found is not None
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in "12"]
            for sock in socks:
                sock.settimeout(PATIENCE)
                sock.connect((own, int(found[1])))
            pid = server.control("status")["workers"][0]["pid"]
            for start in range(0, len(names), 100):
                os.kill(pid, signal.SIGSTOP)
                for number in range(start, start + 100):
                    query = bytearray(query_wire(names[number], ident=number))
                    query[2] |= 0x80 if number % 7 == 0 else 0
                    socks[number % 2].send(query)
                os.kill(pid, signal.SIGCONT)
                for number in range(start, start + 100):
                    if number % 7:
                        assert socks[number % 2].recv(4096)[:2] == number.to_bytes(2, "big")
            ports = [sock.getsockname()[1] for sock in socks]
    lines = [line.split() for line in read(file).splitlines()]
    asked = [line[-1] for line in lines if line[2] == "AQ"]
    answered = [line[-1] for line in lines if line[2] == "AR"]
    assert len(set(asked)) == len(asked) and set(asked) <= {f"{name}/IN/A" for name in names}
    assert answered == [name for name in asked if name not in silent]
    assert len(asked) == 300 if sample == 1 else 30 < len(asked) < 150
    for line in lines:
        number = int(re.findall(r"n(\d+)\.", line[-1])[0])
        assert line[3] == f"{own}:{ports[number % 2]}"


def test_another_identity_is_said_once_it_is_asked_for(tmp_path: Path) -> None:
    project = Project(tmp_path, SETTINGS)
    project.build(ZONE)
    with capture(tmp_path, "tap.fstrm") as file, LiveServer(project) as server:
        server.wait_for(lambda: server.logged("is read"))
        server.ask("www.example.org")
        text = project.config.read_text()
        project.config.write_text(text.replace("ns1.test", "ns2.test"))
        assert server.control("reload")["ok"]
        server.wait_for(lambda: _found(server) == 2)
        server.ask("www.example.org")
        server.ask("www.example.org", tcp=True)
    said = re.findall(r"identity: (\S+)", read(file, "-y"))
    assert said == ["ns1.test"] * 2 + ["ns2.test"] * 4


def _seconds(stamp: str) -> float:
    """Of a time as dnstap-read has it: whole seconds do."""
    return float(time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone)


def test_workers_find_a_reader_that_comes_later_and_one_that_comes_back(tmp_path: Path) -> None:
    project = Project(tmp_path, SETTINGS)
    project.build(ZONE)
    with LiveServer(project, workers=2) as server:
        server.wait_for(lambda: server.logged("dnstap: nobody reads"))
        server.ask("lost.example.org")
        for number, turn in enumerate(("one", "two"), 1):
            names = sorted(f"{turn}{place}" for place in range(20))
            with capture(tmp_path, f"{turn}.fstrm") as file:
                server.wait_for(lambda: _found(server) >= number)  # noqa: B023
                for name in names:
                    server.ask(f"{name}.example.org")
                server.wait_for(lambda: _answered(tmp_path, file) == names)  # noqa: B023


def _found(server: LiveServer) -> int:
    """How often the reader was found."""
    return sum("is read" in line for line in server.log)


def _answered(folder: Path, file: Path) -> list[str]:
    """The names of the answers up to now, once the reader has written what it has."""
    os.kill(_peer_of(folder / "tap.sock"), signal.SIGHUP)
    done = subprocess.run(["dnstap-read", str(file)], capture_output=True, text=True)
    return sorted(re.findall(r" AR .* (\S+)\.example\.org/", done.stdout))


def test_a_transfer_is_seen_as_its_query(tmp_path: Path) -> None:
    project = Project(tmp_path, f"{SETTINGS}tsig-required = false\n")
    project.build(ZONE)
    with capture(tmp_path, "tap.fstrm") as file, LiveServer(project) as server:
        server.wait_for(lambda: server.logged("is read"))
        query = dns.message.make_query("example.org", "AXFR")
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            dns.query.send_tcp(sock, query)
            answer, _ = dns.query.receive_tcp(sock, one_rr_per_rrset=True)
        assert answer.rcode() == dns.rcode.NOERROR
    lines = read(file).splitlines()
    assert [line.split()[2] for line in lines if "/IN/AXFR" in line] == ["AQ"]


def test_a_reader_that_stops_reading_costs_no_answer(tmp_path: Path) -> None:
    """Given one that is stopped: what does not fit into the queue is lost, and all is answered."""
    project = Project(tmp_path, SETTINGS)
    project.build({"example.org": "big TXT " + " ".join(['"' + "x" * 250 + '"'] * 4) + "\n"})
    with (
        capture(tmp_path, "tap.fstrm") as file,
        LiveServer(project) as server,
        udp_socket(server.port) as sock,
    ):
        server.wait_for(lambda: server.logged("is read"))
        reader = _peer_of(tmp_path / "tap.sock")
        os.kill(reader, signal.SIGSTOP)
        try:
            query = dns.message.make_query("big.example.org", "TXT", use_edns=0).to_wire()
            for _ in range(8000):
                sock.send(query)
                assert len(sock.recv(4096)) > 1000
            server.wait_for(lambda: server.logged("messages were not sent to"))
        finally:
            os.kill(reader, signal.SIGCONT)
    told = next(line for line in server.log if "messages were not sent to" in line)
    assert "the reader is slow" in told
    assert read(file)


def _peer_of(path: Path) -> int:
    """The process that listens at a socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])
