"""The status page of a running server: who is given it, under which headers, and what it has of a
server that goes on."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from lzc.cli import group
from lzc.health_check import Check
from lzc.serve.observe.http import own_names
from lzc.serve.observe.status.request import PATHS
from tests.patience import PATIENCE
from tests.unit.serve.status_html import problems, read, rows
from tests.unit.serve.test_metrics import TOKEN, Served, served

QUICK = """
import lzc.serve.supervise.status_pages as pages
pages.MINUTE = 2.0
"""
"""Minutes that are over soon; an hour of them is as long as anybody waits."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that tests ask, and change nothing of."""
    with served(tmp_path_factory.mktemp("status")) as made:
        yield made


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    """A server that asks for a token."""
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    with served(tmp_path, f'http-token-file = "{file}"') as made:
        yield made


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_each_page_is_there_and_may_load_nothing(shared: Served) -> None:
    for path in PATHS:
        status, headers, body = shared.metrics.get(path)
        assert status == 200
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; style-src 'sha256-"
        )
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert read(body).one("h1").text
    assert shared.metrics.get("/", method="HEAD")[2] == b""
    assert shared.metrics.get("/", method="POST")[0] == 405
    assert shared.metrics.get("/zones/example.org")[0] == 404


def test_it_says_what_is_served_and_what_is_down(tmp_path: Path) -> None:
    with served(tmp_path) as made:
        made.server.ask("up.example.org")
        made.server.ask("down.example.org")
        made.server.ask("bad.example.org")
        made.wait_for('lzc_answers_total{rcode="SERVFAIL",transport="udp"}', 1)
        document = read(made.metrics.get("/")[2])
        ((zone, state, serial, records, signed, lua),) = rows(document, "zones")
        assert (zone, state, serial, signed, lua) == ("example.org.", "✓ served", "1", "yes", "yes")
        assert int(records) > 3
        ((name, _, executions, failures, *_),) = rows(document, "lua")
        assert (name, executions, failures) == ("example.org.", "1", "1")
        assert ["SERVFAIL", "1", "0"] in [row[:3] for row in rows(document, "answers")]
        names = [row[0].partition(" ")[0] for row in rows(document, "processes")]
        assert names == ["supervisor", "checker", "observer", "worker-0"]
        found = problems(document)
        assert found[0][0] == "failing"
        assert any("LUA records fail" in what for _, what in found)


def test_a_check_that_goes_down_says_why_since_when_and_how_its_hour_was(tmp_path: Path) -> None:
    with served(tmp_path, inject=QUICK) as made:
        check = Check("127.0.0.1", made.target.getsockname()[1])
        made.project.build({"example.org.": made.zone}, serial=2, checks=[check])
        made.server.control("reload")

        def health() -> str:
            document = read(made.metrics.get("/health")[2])
            return "\n".join(" | ".join(row) for row in rows(document, "health"))

        made.server.wait_for(
            lambda: "✓ up" in health() and bool(re.search("[2-9] min up", health()))
        )
        made.target.close()
        made.server.wait_for(lambda: "✕ down" in health())
        found = health()
        assert "Connection refused" in found
        assert "min down" in found
        assert "1 change" in found
        assert "for up.example.org. A" in found
        assert "1 of 1 health check down" in str(problems(read(made.metrics.get("/")[2])))


def test_checks_that_no_bundle_lists_are_shown_as_lzc_ctl_health_has_them(tmp_path: Path) -> None:
    with served(tmp_path) as made:
        made.server.ask("up.example.org")
        made.server.ask("down.example.org")

        def shown(path: str) -> dict[str, list[str]]:
            return {row[0]: row[1:] for row in rows(read(made.metrics.get(path)[2]), "unlisted")}

        def states() -> list[str]:
            return sorted(row[0].partition(" for")[0] for row in shown("/health").values())

        made.server.wait_for(lambda: states() == ["✓ up", "✕ down"])
        listed = made.server.control("health")["checks"]
        assert sorted(shown("/")) == sorted(f"{one['check']} {one['key'][:8]}" for one in listed)
        assert {one["zone"] for one in listed} == {"example.org."}
        assert {row[1] for row in shown("/").values()} == {"example.org."}
        port = str(made.target.getsockname()[1])
        (one,) = shown(f"/health?check={port}")
        assert port in one
        assert shown("/health?zone=example.com") == {}
        run = CliRunner().invoke(group, ["ctl", "health", "-c", str(made.project.config)])
        assert "listed in no bundle, for code of example.org." in run.stdout
        # Once a bundle lists it, it is one of that.
        check = Check("127.0.0.1", int(port))
        made.project.build({"example.org.": made.zone}, serial=2, checks=[check])
        made.server.control("reload")
        made.server.wait_for(lambda: states() == ["✕ down"])


def test_without_its_checker_the_page_is_there_and_says_so(tmp_path: Path) -> None:
    with served(tmp_path) as made:
        check = Check("127.0.0.1", made.target.getsockname()[1])
        made.project.build({"example.org.": made.zone}, serial=2, checks=[check])
        made.server.control("reload")
        pid = made.server.control("status")["checker"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            document = read(made.metrics.get("/health")[2])
            assert len(rows(document, "health")) == 1
            assert "the checker tells none" in document.one("section", id="health").text
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_browser_is_asked_for_the_token_and_gives_it_as_a_password(guarded: Served) -> None:
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"Authorization": basic("lzc", "wrong")},
        {"Authorization": basic(TOKEN, "")},
        {"Authorization": "Basic " + base64.b64encode(TOKEN.encode()).decode()},
        {"Authorization": "Basic \u00ff"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
    )
    for given in wrong:
        status, headers, body = guarded.metrics.get("/", **given)
        assert status == 401
        challenges = headers.get_all("WWW-Authenticate")
        assert challenges is not None
        assert [one.partition(" ")[0] for one in challenges] == ["Bearer", "Basic"]
        assert b"example.org" not in body
    for given in ({"Authorization": basic("anybody", TOKEN)}, {"Authorization": f"Bearer {TOKEN}"}):
        assert guarded.metrics.get("/", **given)[0] == 200
        assert guarded.metrics.get("/metrics", **given)[0] == 200
    # Programs are not asked as browsers are.
    headers = guarded.metrics.get("/metrics")[1]
    assert headers.get_all("WWW-Authenticate") == ['Bearer realm="lzc"']
    # With a token, the name does not matter.
    known = {"Authorization": basic("", TOKEN), "Host": "dns.example.com"}
    assert guarded.metrics.get("/", **known)[0] == 200
    assert not [line for line in guarded.server.log if TOKEN in line]


def hosts(server: Served) -> list[tuple[str, bool]]:
    port = server.metrics.port
    return [
        (f"127.0.0.1:{port}", True),
        (f"localhost:{port}", True),
        ("LOCALHOST", True),
        ("127.9.9.9", True),
        ("[::1]:80", True),
        (socket.gethostname(), True),
        ("attacker.example", False),
        (f"attacker.example:{port}", False),
        ("127.0.0.1.attacker.example", False),
        ("localhost.attacker.example", False),
        ("192.0.2.1", False),
        ("", False),
        ("[::1", True),
        ("[::2]", False),
    ]


def test_a_name_that_somebody_else_has_lead_here_is_given_nothing(shared: Served) -> None:
    for host, admitted in hosts(shared):
        for path in ("/", "/metrics"):
            status, _, body = shared.metrics.get(path, Host=host)
            assert status == (200 if admitted else 421), host
            assert (b"example.org" in body) == admitted
        assert shared.metrics.get("/live", Host=host)[0] == 200
    assert own_names("192.0.2.7") >= {"192.0.2.7", "localhost"}


def test_a_program_that_sends_no_host_is_no_browser(shared: Served) -> None:
    with socket.create_connection(("127.0.0.1", shared.metrics.port), PATIENCE) as sock:
        sock.sendall(b"GET /zones HTTP/1.0\r\n\r\n")
        with contextlib.closing(sock.makefile("rb")) as answer:
            assert answer.readline().split()[1] == b"200"


def test_what_is_asked_for_comes_back_as_text(shared: Served) -> None:
    body = shared.metrics.get("/zones?zone=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%1b")[2]
    assert b"<script" not in body
    field = read(body).one("input", name="zone")
    assert field.attributes["value"] == '"><script>alert(1)</script>\\x1b'


def test_it_is_compressed_for_who_takes_that(shared: Served) -> None:
    status, headers, body = shared.metrics.get("/", Accept_Encoding="gzip")
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert len(body) < 10_000
