"""Where the log goes, and what becomes of it when that is full, renamed or gone."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lzc.serve.observe.log_output import File, Stderr
from tests.patience import PATIENCE
from tests.unit.live_server import LiveServer, Project, query_wire, udp_socket

ZONE = {"example.org": "www A 192.0.2.1\nbad LUA A \"error('no')\"\n"}
LUA = "[lua]\nenable = true\n"


def write(file: File, line: str) -> None:
    file.write(line, logging.INFO, {})


def events(path: Path) -> list[dict[str, Any]]:
    """What is in a log of JSON: every line is an object."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_that_was_renamed_or_removed_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = File(path)
    write(file, "one")
    path.rename(tmp_path / "log.1")
    write(file, "two")
    path.unlink()
    write(file, "three\nfour")
    assert (tmp_path / "log.1").read_text() == "one\n"
    assert path.read_text() == "three\nfour\n"
    assert path.stat().st_mode & 0o777 == 0o640 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    write(File(path), "after")
    assert path.read_text() == "before\nafter\n"


def test_a_full_disk_is_told_once_and_then_how_much_was_lost(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    file = File(path)
    for _ in range(5):
        write(file, "one\ntwo")
    assert capfd.readouterr().err.count("No space left on device") == 1
    path.unlink()
    write(file, "three")
    assert path.read_text() == "three\n"
    assert caplog.messages == [f"log {path}: 10 lines were lost while it could not be written"]
    path.unlink()
    path.symlink_to("/dev/full")
    write(file, "four")
    assert capfd.readouterr().err.count("No space left on device") == 1


def test_a_folder_that_is_not_there_is_told_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = File(tmp_path / "not" / "there")
    write(file, "one")
    write(file, "two")
    (tmp_path / "not").mkdir()
    write(file, "three")
    assert capfd.readouterr().err.count("cannot be opened") == 1
    assert (tmp_path / "not" / "there").read_text() == "three\n"


def test_while_there_is_no_other_place_lines_go_to_the_renamed_file(tmp_path: Path) -> None:
    folder, moved = tmp_path / "logs", tmp_path / "moved"
    folder.mkdir()
    file = File(folder / "log")
    write(file, "one")
    folder.rename(moved)
    write(file, "two")
    assert (moved / "log").read_text() == "one\ntwo\n"


def test_a_pipe_that_nobody_reads_holds_nobody_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    write(File(tmp_path / "pipe"), "one")
    assert "cannot be opened" in capfd.readouterr().err


def test_a_stderr_of_the_journal_has_levels(tmp_path: Path) -> None:
    """As sd-daemon(3) has them; systemd says in JOURNAL_STREAM which file that is."""
    code = (
        "import logging, os\n"
        "found = os.fstat(2)\n"
        "os.environ['JOURNAL_STREAM'] = f'{found.st_dev}:{found.st_ino}'\n"
        "from lzc.serve.observe import log_output\n"
        "log_output.set_up('%(message)s')\n"
        "log = logging.getLogger('lzc')\n"
        "log.info('i'); log.warning('w'); log.error('e')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "<6>i\n<4>w\n<3>e\n"


def test_a_closed_stderr_ends_nothing(tmp_path: Path) -> None:
    with (tmp_path / "closed").open("w") as stream:
        pass
    Stderr(stream).write("one", logging.INFO, {})


def test_all_processes_log_to_one_file_as_json_and_follow_a_rename(tmp_path: Path) -> None:
    project = Project(tmp_path, f'{LUA}[serve]\nlog = "logs/lzc.log"\nlog-format = "json"\n')
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / "lzc.log"
    bundle = project.build(ZONE)
    with LiveServer(project, workers=2) as server:
        server.ask("bad.example.org")
        server.wait_for(lambda: "SERVFAIL" in path.read_text())
        path.rename(tmp_path / "logs" / "lzc.log.1")
        server.ask("example.org", "SOA")
        server.control("reload")
        server.wait_for(path.exists)
        server.control("force", target="192.0.2.77", state="down", anyway=True)
        server.wait_for(lambda: "192.0.2.77" in path.read_text())
    old, new = events(tmp_path / "logs" / "lzc.log.1"), events(path)
    ready = next(one for one in old if one["message"].startswith("serving bundle"))
    assert (ready["process"], ready["bundle"], ready["workers"]) == ("supervisor", bundle, 2)
    (failed,) = [one for one in old if one.get("rcode") == "SERVFAIL"]
    assert re.fullmatch(r"worker [01]", failed["process"])
    assert failed["qname"] == "bad.example.org."
    assert "no" in failed["reason"]
    again = next(one for one in new if one["message"].startswith("serving bundle"))
    assert again["bundle"] == bundle
    (forced,) = [one for one in new if one.get("target") == "192.0.2.77"]
    assert (forced["process"], forced["forced"], forced["level"]) == ("checker", "down", "info")


def test_stderr_of_a_server_is_json_from_its_first_line_to_its_last(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\nlisten = ["127.0.0.1:0"]\nlog-format = "json"\n')
    bundle = project.build(ZONE)
    command = [sys.executable, "-m", "lzc", "serve", "-c", str(project.config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = json.loads(process.stderr.readline())
        process.terminate()
        rest = [json.loads(line) for line in process.stderr]
    assert process.returncode == 0
    assert (first["bundle"], first["zones"], first["level"]) == (bundle, 1, "info")
    assert rest[-1]["message"] == "stopping"


def test_a_log_that_cannot_be_written_stops_no_server(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\nlog = "/dev/full"\n')
    project.build(ZONE)
    with LiveServer(project) as server:
        assert server.answers("www.example.org") == ["192.0.2.1"]
        server.control("reload")
        assert server.answers("www.example.org") == ["192.0.2.1"]
        assert server.logged("No space left on device")
        assert server.stop() == 0


def test_what_was_held_back_is_told_at_the_end_at_the_latest(tmp_path: Path) -> None:
    project = Project(tmp_path, f'{LUA}[serve]\nlog = "./log"\nlog-format = "json"\n')
    project.build(ZONE)
    with LiveServer(project) as server:
        for _ in range(4):
            server.ask("bad.example.org")
    told = [one for one in events(tmp_path / "log") if one.get("qname") == "bad.example.org."]
    assert [one.get("more", 0) for one in told] == [0, 3]


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_query_log_has_a_line_for_each_query(tmp_path: Path, host: str) -> None:
    project = Project(tmp_path, '[serve]\nquery-log = 1\nquery-log-file = "queries"\n')
    project.build(ZONE)
    path = tmp_path / "queries"
    with LiveServer(project, listen=[f"{host}:0"]) as server, udp_socket(server.port) as sock:
        port = sock.getsockname()[1]
        for number in range(3):
            sock.send(query_wire("www.example.org", ident=number))
            sock.recv(4096)
        server.ask("none.example.org", tcp=True)
        sock.send(query_wire("x.other"))
        sock.recv(4096)
        # An answer is no query: nothing comes back, and it is in the log before what comes next.
        sock.send(b"\0\1\x80\0" + bytes(8))
        sock.send(query_wire("www.example.org", ident=7))
        sock.recv(4096)
        server.wait_for(lambda: len(lines_of(path)) == 7)
    start = rf"\S+ INFO query client=127\.0\.0\.1 port={port} transport=udp"
    asked = rf"{start} qname=www\.example\.org\. qtype=A zone=example\.org\. rcode=NOERROR size=\d+"
    # Those of one transport are in order; what came over another stands somewhere between them.
    lines = lines_of(path)
    (tcp,) = [line for line in lines if "transport=tcp" in line]
    lines.remove(tcp)
    first, second, third, other, silent, last = lines
    for line, cached in ((first, "false"), (second, "false"), (third, "true"), (last, "true")):
        assert re.fullmatch(rf"{asked} us=\d+ cached={cached}", line)
    assert re.search(r"transport=tcp qname=none\.example\.org\. .* rcode=NXDOMAIN ", tcp)
    assert re.search(r"qname=x\.other\. qtype=A rcode=REFUSED ", other)
    assert re.fullmatch(rf"{start} us=\d+ cached=false", silent)


def test_a_sample_of_the_queries_is_logged_beside_other_events(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\nquery-log = 0.25\nlog = "./log"\nlog-format = "json"\n')
    project.build(ZONE)
    with LiveServer(project) as server, udp_socket(server.port) as sock:
        for number in range(2000):
            sock.send(query_wire("www.example.org", ident=number))
            sock.recv(4096)
    queries = [one for one in events(tmp_path / "log") if one["message"] == "query"]
    # Six standard deviations: once in half a billion runs it is beyond them.
    assert abs(len(queries) - 500) < 6 * (2000 * 0.25 * 0.75) ** 0.5
    assert {one["process"] for one in queries} == {"worker 0"}
    assert {(one["qname"], one["size"]) for one in queries} == {("www.example.org.", 49)}


def test_an_extended_rcode_is_told_whole(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\nquery-log = 1\nquery-log-file = "queries"\n')
    project.build(ZONE)
    path = tmp_path / "queries"
    with LiveServer(project) as server:
        assert server.ask("www.example.org", use_edns=1).rcode() == 16
        server.wait_for(lambda: lines_of(path))
    assert " rcode=BADVERS " in lines_of(path)[0]


def test_nothing_is_waited_for_at_a_socket_of_dnstap_that_nobody_reads(tmp_path: Path) -> None:
    """Given a reader that accepts connections and says nothing, and then none at all."""
    project = Project(tmp_path, '[serve]\ndnstap = "tap.sock"\n')
    project.build(ZONE)
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(tmp_path / "tap.sock"))
    silent.listen()
    silent.settimeout(PATIENCE)
    with silent, LiveServer(project) as server:
        first, _ = silent.accept()
        assert server.answers("www.example.org") == ["192.0.2.1"]
        first.close()
        server.wait_for(lambda: server.logged("dnstap: nobody reads"))
        assert server.answers("www.example.org", tcp=True) == ["192.0.2.1"]
        second, _ = silent.accept()
        second.close()
        server.wait_for(lambda: server.logged("messages were not sent to"))
        assert server.stop() == 0
