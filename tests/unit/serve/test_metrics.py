"""Metrics of a running server, over HTTP and through ``lzc ctl``, as readers of their formats read
them."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser
from prometheus_client.parser import text_string_to_metric_families as read_plain

from lzc import config as settings
from lzc.cli import group
from lzc.faults import InputError
from lzc.health_check import Check
from lzc.serve.observe.exposition import OPENMETRICS, PLAIN, negotiated, text
from lzc.serve.observe.http import MOST, SPARE
from lzc.serve.observe.process import cpu_of_all
from tests.patience import PATIENCE, SOON
from tests.peers._peers.process import free_port
from tests.unit.live_server import LiveServer, Project
from tests.unit.serve.all_seen import all_seen

TOKEN = "a-token-of-the-tests-0123456789"
SECONDARY = """
[[secondary]]
name = "ns2"
address = "127.0.0.1:{port}"
tsig = "transfer.example."
software = "powerdns-5.1"
"""
LUA = """
up LUA A "ifportup({up}, {{'127.0.0.1'}})"
down LUA A "ifportup({down}, {{'127.0.0.1'}})"
bad LUA A "no_such_function()"
"""


def read_openmetrics(whole: str) -> list[Metric]:
    return list(parser.text_string_to_metric_families(whole))  # type: ignore[no-untyped-call]


class Metrics:
    """What a server gives at ``port``."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(
        self, path: str = "/metrics", method: str = "GET", **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def values(self) -> dict[str, float]:
        return values_in(self.get()[2].decode())


def values_in(plain: str) -> dict[str, float]:
    """Each sample by its name and labels, as one writes them in a query."""
    found = {}
    for family in read_plain(plain):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


class Served:
    """A server with one zone, and its metrics."""

    def __init__(
        self, folder: Path, serve: str = "", more: str = "", workers: int = 1, inject: str = ""
    ) -> None:
        self.target = socket.create_server(("127.0.0.1", 0))
        up, port = self.target.getsockname()[1], free_port()
        self.project = Project(
            folder,
            f'[serve]\nhttp = "127.0.0.1:{port}"\n{serve}\n[lua]\nenable = true\ntime-limit = 0\n'
            f"health-check-interval = 1\n{more}",
        )
        self.zone = LUA.format(up=up, down=free_port())
        self.project.build({"example.org.": self.zone}, signed=["example.org."])
        self.server = LiveServer(self.project, workers=workers, inject=inject)
        self.metrics = Metrics(port)

    def wait_for(self, name: str, value: float) -> dict[str, float]:
        found: dict[str, float] = {}

        def come() -> bool:
            found.clear()
            with contextlib.suppress(OSError, http.client.HTTPException):
                found.update(self.metrics.values())
            return found.get(name) == value

        self.server.wait_for(come)
        return found


@contextlib.contextmanager
def served(folder: Path, serve: str = "", more: str = "", **how: Any) -> Iterator[Served]:
    made = Served(folder, serve, more, **how)
    with made.target, made.server:
        made.server.wait_for(lambda: made.server.logged("http: metrics at"))
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that tests ask, and change nothing of."""
    with served(tmp_path_factory.mktemp("metrics"), 'http-compat = "powerdns"') as made:
        yield made


def total(found: dict[str, float], name: str, label: str) -> float:
    """The sum of all samples of a family with this label."""
    return sum(value for key, value in found.items() if key.startswith(name) and label in key)


def test_queries_and_failures_are_counted_as_they_were_asked(tmp_path: Path) -> None:
    with served(tmp_path) as made:
        for number in range(7):
            made.server.ask(f"n{number}.example.org")
        made.server.ask("ns1.example.org", tcp=True)
        made.server.ask("bad.example.org")
        found: dict[str, float] = {}

        def come() -> bool:
            found.update(made.metrics.values())
            asked = [total(found, "lzc_queries_total", f'"{one}"') for one in ("udp", "tcp")]
            return asked == [8, 1]

        made.server.wait_for(come)
        assert total(found, "lzc_lua_failures_total", "kind") == 1
        assert found["lzc_lua_executions_total"] == 1
        assert total(found, "lzc_answers_total", '"SERVFAIL"') == 1


def test_zones_are_there_with_their_serials_and_how_far_these_can_rise(shared: Served) -> None:
    found = shared.metrics.values()
    assert found['lzc_zone_serial{zone="example.org."}'] == 1
    assert found['lzc_zone_serial_left{zone="example.org."}'] == 0xFFFFFFFF - 1
    assert found['lzc_zone_signed{zone="example.org."}'] == 1
    assert found["lzc_zones"] == 1
    bundle = next(name for name in found if name.startswith("lzc_bundle_info"))
    assert bundle == f'lzc_bundle_info{{id="{(shared.project.output / "current").readlink()}"}}'


def test_checks_are_there_with_their_state_and_how_often_it_changed(tmp_path: Path) -> None:
    with served(tmp_path) as made:
        made.project.build(
            {"example.org.": made.zone}, serial=2, signed=["example.org."], checks=made_checks(made)
        )
        assert made.server.control("reload")["ok"]
        found = made.wait_for('lzc_health_checks{state="up"}', 1)
        port = made.target.getsockname()[1]
        here = next(name for name in found if f'target="127.0.0.1:{port}"' in name)
        labels = here[here.index("{") :]
        assert found[f"lzc_health_check_up{labels}"] == 1
        assert found[f"lzc_health_check_changes_total{labels}"] == 0
        assert f"lzc_health_check_latency_seconds{labels}" in found
        assert "lzc_health_oldest_result_age_seconds" in found
        made.target.close()
        found = made.wait_for(f"lzc_health_check_up{labels}", 0)
        assert found[f"lzc_health_check_changes_total{labels}"] == 1
        assert found["lzc_health_changes_total"] == 1
        assert found["lzc_health_results_total"] >= 2


def test_the_url_of_a_check_shows_no_password(tmp_path: Path) -> None:
    """Whoever may read metrics need not be who may ask for that page."""
    with served(tmp_path) as made:
        secret = Check("127.0.0.1", url="http://me:s3cret@www.example.com/up?a@b")
        made.project.build(
            {"example.org.": made.zone}, serial=2, signed=["example.org."], checks=[secret]
        )
        assert made.server.control("reload")["ok"]
        made.wait_for("lzc_health_forced_checks", 0)
        found = list(made.wait_for('lzc_zone_serial{zone="example.org."}', 2))
        urls = [name for name in found if "www.example.com" in name]
        assert urls and all('url="http://***@www.example.com/up?a@b"' in name for name in urls)
        told = [
            *(made.metrics.get()[2].decode(), made.metrics.get("/health")[2].decode()),
            *(str(made.server.control(one)) for one in ("health", "status", "metrics")),
            "\n".join(made.server.log),
        ]
        assert not [one for one in told if "s3cret" in one]


def made_checks(made: Served) -> list[Check]:
    return [Check("127.0.0.1", made.target.getsockname()[1])]


def test_a_worker_that_is_killed_is_told_of(tmp_path: Path) -> None:
    with served(tmp_path, workers=2) as made:
        made.wait_for('lzc_process_ready{process="worker-1"}', 1)
        pid = made.server.control("status")["workers"][1]["pid"]
        os.kill(pid, signal.SIGKILL)
        made.wait_for('lzc_process_restarts_total{process="worker-1"}', 1)
        found = made.wait_for('lzc_process_ready{process="worker-1"}', 1)
        assert found['lzc_process_restarts_total{process="worker-0"}'] == 0
        assert found['lzc_process_resident_memory_bytes{process="checker"}'] > 0


NEVER_AGAIN = """
from lzc.serve.supervise.worker_process import WorkerProcess
WorkerProcess.pause = lambda worker: 1e6
"""


def test_cpu_time_of_a_worker_that_is_gone_stays_in_the_sum_of_all(tmp_path: Path) -> None:
    """A counter that falls is one that began anew to Prometheus: all of it would be added."""
    names = ("pdns_auth_user_msec_total", "pdns_auth_sys_msec_total")
    with served(tmp_path, 'http-compat = "powerdns"', workers=2) as made:

        def busy() -> dict[str, float]:
            for _ in range(50):
                made.server.ask("bad.example.org")
            found = made.metrics.values()
            spent = total(found, "lzc_process_cpu_seconds_total", "worker-")
            return found if spent >= 0.2 else {}

        before = made.server.wait_for(busy)
        for one in made.server.control("status")["workers"]:
            os.kill(one["pid"], signal.SIGKILL)
        for number in range(2):
            made.wait_for(f'lzc_process_restarts_total{{process="worker-{number}"}}', 1)
            found = made.wait_for(f'lzc_process_ready{{process="worker-{number}"}}', 1)
        for name in names:
            assert found[name] >= before[name]


def test_cpu_time_of_a_child_counts_while_it_runs_and_once_it_ended() -> None:
    code = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    without = sum(cpu_of_all(()))
    child.stdout.readline()
    running = sum(cpu_of_all((child.pid,)))
    child.communicate(b"\n", PATIENCE)
    assert running >= without + 0.15
    assert sum(cpu_of_all(())) >= running


def test_a_server_is_not_ready_while_a_worker_is_not(tmp_path: Path) -> None:
    """Given workers that take their time to come back."""
    with served(tmp_path, inject=NEVER_AGAIN) as made:
        assert made.metrics.get("/ready")[::2] == (200, b"ready\n")
        assert made.metrics.get("/live")[::2] == (200, b"live\n")
        os.kill(made.server.control("status")["workers"][0]["pid"], signal.SIGKILL)
        made.server.wait_for(lambda: made.metrics.get("/ready")[0] == 503)
        assert made.metrics.get("/ready")[2] == b"not ready\nworker 0 does not answer yet\n"
        assert made.metrics.get("/live")[0] == 200
        assert made.metrics.values()['lzc_process_ready{process="worker-0"}'] == 0


def test_reloads_are_counted_by_what_came_of_them(tmp_path: Path) -> None:
    with served(tmp_path) as made:
        made.server.control("reload")
        current = made.project.output / "current"
        current.unlink()
        current.symlink_to("0" * 32)
        assert not made.server.control("reload")["ok"]
        found = made.wait_for("lzc_bundle_refused", 1)
        assert found['lzc_reloads_total{result="done"}'] == 1
        assert found['lzc_reloads_total{result="refused"}'] >= 1


def test_a_secondary_that_does_not_answer_is_behind(tmp_path: Path) -> None:
    with served(tmp_path, more=SECONDARY.format(port=free_port())) as made:
        found = made.wait_for('lzc_secondary_zones{secondary="ns2",state="behind"}', 1)
        lag = found['lzc_secondary_zone_lag_seconds{secondary="ns2",zone="example.org."}']
        assert lag > 0
        assert 'lzc_secondary_zone_serial{secondary="ns2",zone="example.org."}' not in found
        assert (
            found['lzc_notify_requests_total{request="notify",result="sent",secondary="ns2"}'] > 0
        )
        made.wait_for('lzc_secondary_answering{secondary="ns2"}', 0)


def test_a_clock_that_is_set_changes_no_time_that_the_server_runs() -> None:
    seen = all_seen(os.getpid())
    for now in (seen.now - 1e6, seen.now + 1e6):
        whole = text(replace(seen, now=now), powerdns=True).decode()
        assert "\npdns_auth_uptime 60\n" in whole


def test_a_check_is_late_by_its_own_interval() -> None:
    """One that is made every five minutes has no result for three of them, as it should be."""
    seen = all_seen(os.getpid())
    (check,) = seen.health.checks

    def late(interval: int, age: float) -> float:
        one = check._replace(interval=interval, checked_at=seen.now - age)
        health = replace(seen.health, checks=[one], interval=5)
        return values_in(text(replace(seen, health=health)).decode())["lzc_health_late_checks"]

    assert (late(300, 900), late(300, 1000), late(0, 44), late(0, 46)) == (0, 1, 0, 1)


def test_no_two_series_have_the_same_labels() -> None:
    """Names of secondaries need not differ, those of zones may begin alike for long, and a geo
    database may be listed twice: Prometheus would drop one of both."""
    seen = all_seen(os.getpid(), zones=2, secondaries=3)
    long = ".".join(["a" * 63] * 3)
    zones = [
        one._replace(name=f"{long}.{'x' * 30}{n}.example.") for n, one in enumerate(seen.zones)
    ]
    seen = replace(seen, zones=zones, geo=[seen.geo[0], seen.geo[0]])
    same = [replace(one, name="ns0") for one in seen.secondaries[:2]]
    whole = text(replace(seen, secondaries=[*same, seen.secondaries[2]])).decode()
    samples = [line.rpartition(" ")[0] for line in whole.splitlines() if line[0] != "#"]
    assert len(samples) == len(set(samples))
    for name in ("ns0 (192.0.2.0:53)", "ns0 (192.0.2.1:53)", "ns2"):
        assert f'lzc_secondary_answering{{secondary="{name}"}}' in samples


def test_openmetrics_is_given_to_who_asks_for_it(shared: Served) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    status, headers, body = shared.metrics.get(Accept=accept)
    assert (status, headers["Content-Type"]) == (200, OPENMETRICS)
    names = {family.name for family in read_openmetrics(body.decode())}
    assert {"lzc_queries", "lzc_zone_serial", "pdns_auth_udp_queries"} <= names
    status, headers, body = shared.metrics.get()
    assert (status, headers["Content-Type"]) == (200, PLAIN)
    assert {"lzc_queries", "lzc_zone_serial"} <= {one.name for one in read_plain(body.decode())}


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/plain", PLAIN),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; q=0.8, text/plain; q=0.5", OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1;q=0.2,text/plain;version=0.0.4", PLAIN),
        ("application/openmetrics-text;version=2.0.0", PLAIN),
        ("application/openmetrics-text;q=none", PLAIN),
        ("application/openmetrics-text;q=0", PLAIN),
    ],
)
def test_what_is_given_is_what_is_wanted_most(accept: str, given: str) -> None:
    assert negotiated(accept) == given


def test_every_family_says_what_it_is_and_keeps_its_unit_in_its_name() -> None:
    families = read_openmetrics(text(all_seen(os.getpid()), OPENMETRICS).decode())
    assert len(families) > 60
    for family in families:
        assert len(family.documentation) > 10, family.name
        assert family.name.startswith("lzc_")
        for unit in ("seconds", "bytes"):
            assert family.name.endswith(f"_{unit}") == (family.unit == unit), family.name


def test_it_is_compressed_for_who_takes_that(shared: Served) -> None:
    _, headers, body = shared.metrics.get(Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert b"lzc_zone_serial" in gzip.decompress(body)
    _, headers, body = shared.metrics.get(Accept_Encoding="gzip;q=0")
    assert "Content-Encoding" not in headers
    assert b"lzc_zone_serial" in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/metrics", "/live", "/ready"])
def test_nothing_can_be_done_but_read(shared: Served, method: str, path: str) -> None:
    status, headers, _ = shared.metrics.get(path, method)
    assert status == 405
    assert set(headers["Allow"].split(",")) == {"GET", "HEAD"}


def test_head_has_no_body_and_there_is_nothing_elsewhere(shared: Served) -> None:
    status, headers, body = shared.metrics.get(method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 1000
    assert shared.metrics.get("/../../etc/passwd")[0] == 404


def test_who_has_no_token_gets_nothing(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    with served(tmp_path, f'http-token-file = "{file}"') as made:
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            status, headers, body = made.metrics.get(**given)
            assert status == 401
            assert headers["WWW-Authenticate"].startswith("Bearer")
            assert b"lzc_" not in body
        status, _, body = made.metrics.get(Authorization=f"Bearer {TOKEN}")
        assert status == 200
        assert b"lzc_zones" in body
        assert made.metrics.get("/live")[0] == made.metrics.get("/ready")[0] == 200


def test_those_who_read_nothing_keep_nobody_else_waiting(tmp_path: Path) -> None:
    """As many as there may be at once, but for one."""
    with served(tmp_path) as made, contextlib.ExitStack() as stack:
        for _ in range(MOST + SPARE - 1):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", made.metrics.port)))
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: lzc\r\n")
        assert made.metrics.get()[0] == 200
        assert made.server.answers("ns1.example.org") == ["192.0.2.53"]


def test_those_who_ask_nothing_make_way_for_those_who_do(tmp_path: Path) -> None:
    """An orchestrator would end a server whose /live cannot be reached."""
    with served(tmp_path) as made, contextlib.ExitStack() as stack:
        idle = []
        for _ in range(MOST + SPARE):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", made.metrics.port)))
            sock.settimeout(PATIENCE)
            sock.sendall(b"GET /live")
            idle.append(sock)
        for _ in range(3):
            assert made.metrics.get("/live")[0] == 200
        with contextlib.suppress(ConnectionResetError):
            assert idle[0].recv(1) == b""


def test_there_are_so_many_requests_at_once_and_no_more(tmp_path: Path) -> None:
    inject = """
import asyncio
import lzc.serve.supervise.seeing as seeing
async def never(self, content_type, compressed=False):
    await asyncio.Event().wait()
assert seeing.Overview.metrics
seeing.Overview.metrics = never
"""
    with served(tmp_path, inject=inject) as made, contextlib.ExitStack() as stack:

        def refused() -> bool:
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", made.metrics.port)))
            sock.settimeout(SOON)
            with contextlib.suppress(TimeoutError):
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return sock.recv(4096).startswith(b"HTTP/1.1 503 ")
            return False

        made.server.wait_for(refused)
        assert made.metrics.get("/live")[0] == made.metrics.get("/ready")[0] == 200


MANY_OCTETS = """
import lzc.serve.supervise.seeing as seeing
from lzc.serve.observe.made_metrics import MadeMetrics
async def many(self, content_type, compressed=False):
    return MadeMetrics.of([bytes(65536)] * 400)
assert seeing.Overview.metrics
seeing.Overview.metrics = many
"""
"""More than the buffers of two sockets have room for."""


def test_those_who_ask_and_read_no_answer_make_way(tmp_path: Path) -> None:
    """For /live and /ready at once, for others as soon as it shows that they take nothing."""
    with served(tmp_path, inject=MANY_OCTETS) as made, contextlib.ExitStack() as stack:
        slow = []
        for _ in range(MOST + SPARE):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(PATIENCE)
            sock.connect(("127.0.0.1", made.metrics.port))
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            slow.append(sock)
        for path in ("/live", "/ready"):
            assert made.metrics.get(path)[0] == 200
        made.server.wait_for(lambda: made.metrics.get("/metrics")[0] == 200)
        for path in ("/live", "/ready"):
            assert made.metrics.get(path)[0] == 200
        poll = select.poll()
        for sock in slow:
            # What is there to be read is no event.
            poll.register(sock, select.POLLRDHUP)
        made.server.wait_for(lambda: len(poll.poll(0)) == len(slow))


def test_who_reads_slowly_gets_all(tmp_path: Path) -> None:
    with served(tmp_path, inject=MANY_OCTETS) as made, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", made.metrics.port))
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        octets = 0
        while more := sock.recv(1 << 16):
            octets += len(more)
        assert octets > 400 * 65536


def test_long_requests_are_refused(shared: Served) -> None:
    assert shared.metrics.get("/metrics?" + "x" * 10_000)[0] == 400
    assert shared.metrics.get(Cookie="x" * 10_000)[0] == 400


NO_REQUESTS = (
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"GET /?zone=\xff\x1b[31m HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/3.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
)


def test_what_is_no_request_is_refused_and_fills_no_log(tmp_path: Path) -> None:
    """Nor does it tell what lzc is made of: who asks has shown no token."""
    with served(tmp_path) as made:
        for request in NO_REQUESTS:
            with socket.create_connection(("127.0.0.1", made.metrics.port)) as sock:
                sock.settimeout(PATIENCE)
                sock.sendall(request)
                answer = b""
                while more := sock.recv(4096):
                    answer += more
            head, _, body = answer.partition(b"\r\n\r\n")
            assert b" 400 Bad Request\r\n" in head
            assert b"\r\nServer: lzc\r\n" in head + b"\r\n"
            assert body == b"400: Bad Request\n"
        assert made.metrics.get("/live")[0] == 200
        assert not made.server.logged("ERROR")
        assert not made.server.logged("aiohttp")


def test_an_error_of_ours_is_logged_once_and_answered(tmp_path: Path) -> None:
    inject = """
import lzc.serve.supervise.seeing as seeing
def broken(self):
    raise RuntimeError("a fault of lzc")
seeing.Overview.not_ready = broken
"""
    with served(tmp_path, inject=inject) as made:
        for _ in range(3):
            status, headers, body = made.metrics.get("/ready")
            assert (status, body) == (500, b"500: Internal Server Error\n")
            assert headers["Server"] == "lzc"
        what = "answering a request over HTTP failed: RuntimeError: a fault of lzc"
        made.server.wait_for(lambda: made.server.logged(what))
        assert "".join(made.server.log).count(what) == 1


def test_lzc_ctl_metrics_prints_the_same(shared: Served) -> None:
    words = ["ctl", "metrics", "-c", str(shared.project.config)]
    done = CliRunner().invoke(group, words, catch_exceptions=False)
    assert done.exit_code == 0
    found = values_in(done.stdout)
    assert found['lzc_zone_serial{zone="example.org."}'] == 1
    assert found.keys() == shared.metrics.values().keys()


def test_without_http_nothing_listens_and_lzc_ctl_metrics_works(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build({"example.org.": ""}, serial=5)
    with LiveServer(project) as server:
        found = values_in(server.control("metrics")["text"])
        assert found['lzc_zone_serial{zone="example.org."}'] == 5
        assert not server.logged("http:")


def refused(folder: Path, serve: str) -> list[str]:
    file = folder / "lzc.toml"
    file.write_text(f"[serve]\n{serve}\n")
    try:
        config = settings.load(file)
        config.http_token()
    except InputError as error:
        return [fault.rule for fault in error.faults]
    return []


@pytest.mark.parametrize("where", ["0.0.0.0:80", "[::]:80", "192.0.2.1:80"])
def test_beyond_loopback_a_token_is_needed(tmp_path: Path, where: str) -> None:
    assert refused(tmp_path, f'http = "{where}"') == ["http-open"]
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    assert refused(tmp_path, f'http = "{where}"\nhttp-token-file = "token"') == []
    assert refused(tmp_path, 'http = "[::1]:80"') == []


def test_a_token_that_others_can_read_or_guess_is_none(tmp_path: Path) -> None:
    token = tmp_path / "token"
    setting = 'http-token-file = "token"'
    assert refused(tmp_path, setting) == ["http-token-unreadable"]
    token.write_text(TOKEN)
    token.chmod(0o644)
    assert refused(tmp_path, setting) == ["http-token-exposed"]
    for text_ in ("", "short", "with a blank in it, which no header has"):
        token.chmod(0o600)
        token.write_text(text_)
        assert refused(tmp_path, setting) == ["http-token"]


def test_an_address_that_somebody_has_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        project = Project(tmp_path, f'[serve]\nhttp = "127.0.0.1:{port}"\n')
        project.build({"example.org.": ""}, serial=5)
        server = LiveServer(project)
        server.reader.start()
        assert server.process.wait(PATIENCE) == 1
        server.reader.join(PATIENCE)
        assert server.logged("http cannot listen on")
