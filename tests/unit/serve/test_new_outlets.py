"""`reload` moves what a server tells: metrics over HTTP, its log, the query log, and dnstap."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lzc.faults import InputError
from lzc.serve.supervise import http_socket
from tests.peers._peers.process import free_port
from tests.unit.live_server import LiveServer, Project, query_wire, udp_socket
from tests.unit.serve.test_metrics import TOKEN, Metrics, values_in
from tests.unit.serve.test_new_settings import ZONE, edit
from tests.unit.serve.test_recorder import Reader, ask, counts

SERVE = "[serve]\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    project = Project(tmp_path, SERVE)
    project.build(ZONE)
    with LiveServer(project, workers=2) as running:
        yield running


def status_of(port: int, **headers: str) -> int:
    """Of a request for metrics; 0 where nobody listens."""
    try:
        return Metrics(port).get(**headers)[0]
    except ConnectionRefusedError:
        return 0


def test_metrics_over_http_come_move_and_go(server: LiveServer) -> None:
    first, second = free_port(), free_port()
    assert status_of(first) == 0
    answer = edit(server, SERVE, f'{SERVE}http = "127.0.0.1:{first}"\n')
    assert answer["ok"] and answer["settings"] == ["[serve] http"]
    assert status_of(first) == 200
    assert edit(server, str(first), str(second))["ok"]
    assert (status_of(first), status_of(second)) == (0, 200)
    # Workers hold neither of both: an address that was let go of can be had.
    pid = server.control("status")["workers"][0]["pid"]
    os.kill(pid, 9)
    server.wait_for(lambda: server.control("status")["workers"][0]["restarts"] == 1)
    assert edit(server, str(second), str(first))["ok"]
    assert (status_of(first), status_of(second)) == (200, 0)
    assert edit(server, f'http = "127.0.0.1:{first}"\n', "")["ok"]
    assert status_of(first) == 0
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", second))
        other.listen()


def test_a_token_and_the_names_of_powerdns(server: LiveServer, tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    assert edit(server, SERVE, f'{SERVE}http = "127.0.0.1:{port}"\n')["ok"]
    assert b"pdns_auth_" not in Metrics(port).get()[2]
    assert edit(server, SERVE, f'{SERVE}http-token-file = "token"\nhttp-compat = "powerdns"\n')[
        "ok"
    ]
    assert status_of(port) == 401
    assert b"pdns_auth_" in Metrics(port).get(Authorization=f"Bearer {TOKEN}")[2]
    # A token is read anew even where no setting changed.
    file.write_text(TOKEN[::-1])
    assert server.control("reload")["ok"]
    assert status_of(port, Authorization=f"Bearer {TOKEN}") == 401
    assert status_of(port, Authorization=f"Bearer {TOKEN[::-1]}") == 200
    file.chmod(0o644)
    answer = server.control("reload")
    assert not answer["ok"] and "open to other users" in str(answer["error"])
    assert status_of(port, Authorization=f"Bearer {TOKEN[::-1]}") == 200


def test_a_token_that_cannot_be_used_any_more_is_told_however_it_is_read(
    server: LiveServer, tmp_path: Path
) -> None:
    """A hangup has no answer: the log, status and metrics say that the next start would fail."""
    port, file = free_port(), tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    line = f'http = "127.0.0.1:{port}"\nhttp-token-file = "token"\n'
    assert edit(server, SERVE, f"{SERVE}{line}")["ok"]

    def pending() -> float:
        return values_in(server.control("metrics")["text"])["lzc_settings_pending"]

    assert pending() == 0
    file.unlink()
    server.hang_up()
    server.wait_for(lambda: "token" in server.control("status")["settings"])
    assert server.logged("SETTINGS NOT IN FORCE") and server.logged("http-token-unreadable")
    server.wait_for(lambda: pending() == 1)
    assert status_of(port, Authorization=f"Bearer {TOKEN}") == 200
    file.write_text(TOKEN[::-1])
    file.chmod(0o600)
    server.hang_up()
    server.wait_for(lambda: not server.control("status")["settings"])
    assert status_of(port, Authorization=f"Bearer {TOKEN[::-1]}") == 200


def test_an_address_that_cannot_be_had_changes_nothing(server: LiveServer) -> None:
    port = free_port()
    assert edit(server, SERVE, f'{SERVE}http = "127.0.0.1:{port}"\n')["ok"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        answer = edit(server, f":{port}", f":{taken}")
        assert not answer["ok"] and answer["settings"] == []
        error = str(answer["error"])
        assert f"http cannot listen on 127.0.0.1:{taken}" in error
        assert "the settings stay as they were" in error
        assert status_of(port) == 200
        assert "cannot listen" in server.control("status")["settings"]
        answer = edit(server, SERVE, f"{SERVE}server-id = 'x'\n")
        assert not answer["ok"] and answer["settings"] == []
    answer = server.control("reload")
    assert answer["ok"]
    assert answer["settings"] == ["[serve] server-id", "[serve] http"]
    assert (status_of(port), status_of(taken)) == (0, 200)


def test_settings_that_no_worker_can_serve_with_leave_http_where_it_was(
    server: LiveServer,
) -> None:
    first, second = free_port(), free_port()
    assert edit(server, SERVE, f'{SERVE}http = "127.0.0.1:{first}"\n')["ok"]
    answer = edit(server, f":{first}", f':{second}"\ngeoip = ["nowhere.mmdb"]\nlog = "./other')
    assert not answer["ok"] and answer["settings"] == []
    assert (status_of(first), status_of(second)) == (200, 0)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", second))
        other.listen()
    assert not (server.project.folder / "other").exists()


def test_another_host_with_the_port_that_is_served_is_told_as_that(server: LiveServer) -> None:
    port = free_port()
    assert edit(server, SERVE, f'{SERVE}http = "127.0.0.1:{port}"\n')["ok"]
    (server.project.folder / "token").write_text(TOKEN)
    (server.project.folder / "token").chmod(0o600)
    answer = edit(
        server, f'http = "127.0.0.1:{port}', f'http-token-file = "token"\nhttp = "0.0.0.0:{port}'
    )
    assert not answer["ok"]
    assert f"lzc itself listens on 127.0.0.1:{port}" in str(answer["error"])


def test_a_port_that_only_root_may_have_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(socket.socket):
        def bind(self, _address: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket, "socket", Refused)
    with pytest.raises(InputError, match="ports below 1024 are for root") as caught:
        http_socket.bind("127.0.0.1:80")
    assert "CAP_NET_BIND_SERVICE" in str(caught.value)


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_log_of_all_processes_moves(tmp_path: Path) -> None:
    project = Project(tmp_path, f"[lua]\nenable = true\n{SERVE}")
    project.build({"example.org": "bad LUA A \"error('no')\"\n"})
    path = tmp_path / "lines"
    with LiveServer(project, workers=2) as server:
        server.wait_for(lambda: server.control("status")["checker"]["pid"])
        assert edit(server, SERVE, f'{SERVE}log = "./lines"\nlog-format = "json"\n')["ok"]
        for _ in range(8):
            server.ask("bad.example.org")
        server.control("force", target="192.0.2.77", state="down", anyway=True)

        def heard() -> bool:
            return {one["process"].split()[0] for one in events(path)} >= {
                "supervisor",
                "worker",
                "checker",
            }

        server.wait_for(heard)
        before = len(events(path))
        assert edit(server, 'log = "./lines"\nlog-format = "json"\n', "")["ok"]
        server.control("force", target="192.0.2.78", state="down", anyway=True)
        server.wait_for(lambda: server.logged("192.0.2.78"))
        assert not any("192.0.2.78" in one["message"] for one in events(path)[before:])


def test_the_query_log_comes_and_goes_without_a_query_being_lost(
    server: LiveServer, tmp_path: Path
) -> None:
    path = tmp_path / "queries"

    def lines() -> int:
        return path.read_text().count("\n") if path.exists() else 0

    ask(server, 5)
    wanted = f'{SERVE}query-log = 1\nquery-log-file = "queries"\n'
    assert edit(server, SERVE, wanted)["ok"]
    ask(server, 5)
    server.wait_for(lambda: lines() == 5)
    # What waits when the recorder is replaced is written by the next one.
    ask(server, 5)
    assert edit(server, '"queries"', '"others"')["ok"]
    ask(server, 5)

    def all_lines() -> int:
        other = tmp_path / "others"
        return lines() + (other.read_text().count("\n") if other.exists() else 0)

    server.wait_for(lambda: all_lines() == 15)
    assert edit(server, wanted.replace("queries", "others"), SERVE)["ok"]
    server.wait_for(lambda: server.control("status")["recorder"]["pid"] == 0)
    ask(server, 5)
    assert all_lines() == 15
    assert not server.logged("died")


def test_dnstap_comes_and_its_sample_changes(server: LiveServer, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "tap")
    assert edit(server, SERVE, f'{SERVE}dnstap = "tap"\n')["ok"]
    server.wait_for(lambda: counts(server).get("lzc_dnstap_connected") == 1)
    ask(server, 5)
    server.wait_for(lambda: reader.frames == 10)
    assert edit(server, 'dnstap = "tap"\n', 'dnstap = "tap"\ndnstap-sample = 0\n')["ok"]
    ask(server, 5)
    left_out = 'lzc_dnstap_frames_lost_total{reason="sample"}'
    server.wait_for(lambda: counts(server)[left_out] == 10)
    assert edit(server, "dnstap-sample = 0\n", "")["ok"]
    with udp_socket(server.port) as sock:
        sock.send(query_wire("www.example.org"))
        assert sock.recv(4096)
    server.wait_for(lambda: reader.frames == 12)
    reader.close()
