"""The process that makes frames and lines of queries: what becomes of each is counted, and whatever
becomes of it costs no answer."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dns.message
from click.testing import CliRunner

from lzc.cli import group
from lzc.serve.observe.dnstap import CONTENT_TYPE
from lzc.serve.observe.frame_stream import control_frame
from tests.patience import PATIENCE
from tests.unit.live_server import LiveServer, Project, query_wire, udp_socket
from tests.unit.serve.test_metrics import values_in

ZONE = {"example.org": "www A 192.0.2.1\n"}
ACCEPT = 1


class Reader:
    """Reads dnstap, and counts the data frames."""

    def __init__(self, path: Path) -> None:
        self.frames = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()

    def _read(self) -> None:
        with suppress(OSError):
            while True:
                self._read_from(self._listener.accept()[0])

    def _read_from(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as stream:
            sock.sendall(control_frame(ACCEPT, CONTENT_TYPE))
            while head := stream.read(4):
                length = int.from_bytes(head, "big")
                if length:
                    stream.read(length)
                    self.frames += 1
                else:
                    stream.read(int.from_bytes(stream.read(4), "big"))


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    reader = Reader(path)
    try:
        yield reader
    finally:
        reader.close()
        path.unlink()


def counts(server: LiveServer) -> dict[str, float]:
    found = values_in(server.control("metrics")["text"])
    return {key: value for key, value in found.items() if "dnstap" in key or "query_log" in key}


def ask(server: LiveServer, times: int) -> None:
    with udp_socket(server.port) as sock:
        for number in range(times):
            sock.send(query_wire("www.example.org", ident=number))
            assert sock.recv(4096)


def status(project: Project) -> str:
    done = CliRunner().invoke(group, ["ctl", "status", "-c", str(project.config)])
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_sent_and_what_is_lost_is_counted_and_told(tmp_path: Path) -> None:
    project = Project(
        tmp_path, '[serve]\ndnstap = "tap"\nquery-log = 1\nquery-log-file = "queries"\n'
    )
    project.build(ZONE)
    with LiveServer(project) as server:
        ask(server, 10)
        server.wait_for(
            lambda: counts(server)['lzc_dnstap_frames_lost_total{reason="no reader"}'] == 20
        )
        assert counts(server)["lzc_dnstap_connected"] == 0
        assert "dnstap      tap NOT READ, for" in status(project)
        with reading(tmp_path / "tap") as reader:
            server.wait_for(lambda: counts(server)["lzc_dnstap_connected"] == 1)
            ask(server, 10)
            server.wait_for(lambda: counts(server)["lzc_dnstap_frames_total"] == 20)
            server.wait_for(lambda: reader.frames == 20)
            server.wait_for(lambda: counts(server)["lzc_query_log_lines_total"] == 20)
            said = status(project)
            assert "dnstap      tap read, for" in said
            assert "; 20 frames sent, 20 lost (20 without a reader, 0 as it was slow, 0 as" in said
            assert "query log   20 lines, 0 not written, 0 as the recorder was behind; 0" in said


def test_what_is_asked_before_the_reader_was_found_is_sent(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\ndnstap = "tap"\n')
    project.build(ZONE)
    with reading(tmp_path / "tap") as reader, LiveServer(project) as server:
        ask(server, 10)
        server.wait_for(lambda: counts(server)["lzc_dnstap_frames_total"] == 20)
        server.wait_for(lambda: reader.frames == 20)
        assert counts(server)['lzc_dnstap_frames_lost_total{reason="no reader"}'] == 0


def test_what_the_sample_leaves_out_is_counted(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        '[serve]\ndnstap = "tap"\ndnstap-sample = 0\n'
        'query-log = 0.5\nquery-log-file = "/dev/full"\n',
    )
    project.build(ZONE)
    with LiveServer(project) as server:
        ask(server, 50)

        def lines() -> list[float]:
            now = counts(server)
            family = "lzc_query_log_lines_lost_total"
            return [now[f'{family}{{reason="{why}"}}'] for why in ("sample", "not written")]

        server.wait_for(lambda: sum(lines()) == 50)
        assert min(lines()) > 0
        now = counts(server)
        assert now['lzc_dnstap_frames_lost_total{reason="sample"}'] == 100
        assert now["lzc_query_log_lines_total"] == 0


def test_a_server_without_either_has_no_recorder_and_says_nothing_of_it(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(ZONE)
    with LiveServer(project) as server:
        assert counts(server) == {}
        assert server.control("status")["recorder"]["pid"] == 0
        assert "dnstap" not in status(project)
        assert "query log" not in status(project)


def test_one_that_hangs_is_replaced(tmp_path: Path) -> None:
    """Nothing would be recorded for good otherwise, and no other setting of it would ever count."""
    project = Project(tmp_path, '[serve]\nquery-log = 1\nquery-log-file = "queries"\n')
    project.build(ZONE)
    with LiveServer(project, watchdog=0.4) as server:
        ask(server, 1)
        server.wait_for(lambda: counts(server)["lzc_query_log_lines_total"] == 1)
        os.kill(server.control("status")["recorder"]["pid"], signal.SIGSTOP)
        ask(server, 2)
        server.wait_for(lambda: counts(server)["lzc_query_log_lines_total"] == 3)
        assert server.logged("the recorder of queries did not respond for 4 s: killing it")
        assert server.control("status")["recorder"]["restarts"] == 1


def test_one_that_died_is_replaced_and_what_waited_is_not_lost(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\nquery-log = 1\nquery-log-file = "queries"\n')
    project.build(ZONE)
    path = tmp_path / "queries"
    with LiveServer(project, workers=2) as server:
        ask(server, 5)
        server.wait_for(lambda: path.exists() and path.read_text().count("\n") == 5)
        server.wait_for(lambda: counts(server)["lzc_query_log_lines_total"] == 5)
        pid = server.control("status")["recorder"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        ask(server, 5)
        os.kill(pid, signal.SIGKILL)
        ask(server, 5)
        server.wait_for(lambda: server.control("status")["recorder"]["pid"] not in (0, pid))
        server.wait_for(lambda: path.read_text().count("\n") == 15)
        server.wait_for(lambda: counts(server)["lzc_query_log_lines_total"] == 15)
        assert server.logged("the recorder of queries (SIGKILL) died; starting another")


def test_one_that_does_nothing_costs_no_answer_and_what_has_no_room_is_counted(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path, '[serve]\ndnstap = "tap"\n')
    text = " ".join(['"' + "x" * 250 + '"'] * 4)
    project.build({"example.org": f"big TXT {text}\n"})
    lost = 'lzc_dnstap_frames_lost_total{reason="behind"}'
    with (
        reading(tmp_path / "tap"),
        LiveServer(project) as server,
        udp_socket(server.port) as sock,
    ):
        server.wait_for(lambda: counts(server)["lzc_dnstap_connected"] == 1)
        query = dns.message.make_query("big.example.org", "TXT", use_edns=0).to_wire()
        pid = server.control("status")["recorder"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        for number in range(6000):
            sock.send(number.to_bytes(2, "big") + query[2:])
            assert len(sock.recv(4096)) > 1000
        server.wait_for(lambda: counts(server)[lost] > 0)
        os.kill(pid, signal.SIGCONT)

        def all_counted() -> bool:
            now = counts(server)
            slow = now['lzc_dnstap_frames_lost_total{reason="slow reader"}']
            return now[lost] + slow + now["lzc_dnstap_frames_total"] == 12000

        server.wait_for(all_counted)


def test_what_is_answered_last_is_recorded_too(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\nquery-log = 1\nquery-log-file = "queries"\n')
    project.build(ZONE)
    with LiveServer(project, workers=2) as server:
        ask(server, 20)
    assert (tmp_path / "queries").read_text().count("\n") == 20


def test_lines_say_which_process_answered(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        '[serve]\nquery-log = 1\nquery-log-file = "queries"\nlog-format = "json"\nlog = "./log"\n',
    )
    project.build(ZONE)
    path = tmp_path / "queries"
    with LiveServer(project, workers=2) as server:
        workers = server.control("status")["workers"]
        for _ in range(20):
            server.ask("www.example.org", tcp=True)
            ask(server, 1)
        server.wait_for(lambda: path.exists() and path.read_text().count("\n") == 40)
    found = {(one["process"], one["pid"]) for one in map(json.loads, path.read_text().splitlines())}
    assert found <= {(f"worker {place}", one["pid"]) for place, one in enumerate(workers)}
    assert found


def test_it_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\ndnstap = "tap"\n')
    project.build(ZONE)
    with LiveServer(project) as server:
        pid = server.control("status")["recorder"]["pid"]
        os.kill(server.control("status")["pid"], signal.SIGKILL)
        server.wait_for(lambda: not _runs(pid), PATIENCE)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_what_nobody_reads_is_not_handed_over(tmp_path: Path) -> None:
    """Given a server that has looked for a reader and found none: the count of the recorder stays,
    and the queries are counted by the worker."""
    project = Project(tmp_path, '[serve]\ndnstap = "tap"\n')
    project.build(ZONE)
    with LiveServer(project) as server:
        server.wait_for(lambda: server.logged("dnstap: nobody reads"))
        os.kill(server.control("status")["recorder"]["pid"], signal.SIGSTOP)
        ask(server, 5)
        found = server.control("status")["recorder"]["counts"]
        assert found["frames_unread"] == 10
        os.kill(server.control("status")["recorder"]["pid"], signal.SIGCONT)
