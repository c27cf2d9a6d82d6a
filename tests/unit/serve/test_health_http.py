"""Health checks over HTTP against real servers: up, slow, moved, or up with the wrong content."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lzc.health_check import Check
from lzc.serve.health.http_client import HttpClient
from tests.patience import PATIENCE, SOON
from tests.unit.clinic import LOCAL, Clinic, listening, play, self_signed


class Site:
    """A web server; ``requests`` are those it got."""

    def __init__(self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        self._handler = handler
        self.requests: list[web.Request] = []

    async def start(self, tls: ssl.SSLContext | None = None) -> int:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            assert isinstance(request, web.BaseRequest)
            self.requests.append(request)  # type: ignore[arg-type]
            return await self._handler(request)  # type: ignore[arg-type]

        self._runner = web.ServerRunner(web.Server(handle), shutdown_timeout=SOON)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOCAL, 0, ssl_context=tls)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()


async def page(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/ok" | "/hops/0":
            return web.Response(text="a page about Programming in Lua")
        case "/gone":
            return web.Response(status=410)
        case "/moved":
            return web.Response(status=302, headers={"Location": "/ok"})
        case "/to-gone":
            return web.Response(
                status=307, headers={"Location": "//me:secret@" + request.host + "/gone"}
            )
        case "/to-mail":
            return web.Response(status=302, headers={"Location": "mailto:me@example.com"})
        case "/to-files":
            return web.Response(status=302, headers={"Location": "ftp://me:secret@example.com/"})
        case "/choices":
            return web.Response(status=300, headers={"Location": "/ok"})
        case "/loop":
            return web.Response(status=301, headers={"Location": "/loop"})
        case hop if hop.startswith("/hops/"):
            return web.Response(status=302, headers={"Location": f"{int(hop[6:]) - 1}"})
        case "/away":
            port = request.url.port
            return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{port}/ok"})
        case "/long":
            return web.Response(text="x" * 20_000 + "needle")
        case "/slow":
            await asyncio.Event().wait()
        case "/stalls":
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"some")
            await asyncio.Event().wait()
    return web.Response(status=500)


@pytest.mark.parametrize(
    ("path", "options", "up", "problem"),
    [
        ("/ok", {}, True, ""),
        ("/ok", {"stringmatch": "Programming in Lua"}, True, ""),
        ("/ok", {"stringmatch": "Programming in C"}, False, "no 'Programming in C' in the body"),
        ("/gone", {}, False, "HTTP status 410"),
        ("/gone", {"httpcode": 410}, True, ""),
        ("/moved", {}, True, ""),
        (
            "/moved",
            {"httpcode": 302},
            False,
            "HTTP status 200, redirected to http://www.example.com:{port}/ok",
        ),
        ("/choices", {}, True, ""),
        ("/away", {}, True, ""),
        (
            "/loop",
            {},
            False,
            "too many redirects, redirected to http://www.example.com:{port}/loop",
        ),
        ("/hops/30", {}, True, ""),
        (
            "/hops/31",
            {},
            False,
            "too many redirects, redirected to http://www.example.com:{port}/hops/0",
        ),
        (
            "/to-gone",
            {},
            False,
            "HTTP status 410, redirected to http://***@www.example.com:{port}/gone",
        ),
        ("/to-mail", {}, False, "not an HTTP URL, redirected to mailto:me@example.com"),
        ("/to-files", {}, False, "not an HTTP URL, redirected to ftp://***@example.com/"),
        ("/long", {"stringmatch": "needle"}, True, ""),
        ("/long", {"stringmatch": "needle", "byteslimit": 5000}, False, "no 'needle' in the body"),
    ],
)
def test_an_http_check_looks_at_status_and_body(
    path: str, options: dict[str, Any], up: bool, problem: str
) -> None:
    async def scene(clinic: Clinic) -> None:
        site = Site(page)
        port = await site.start()
        check = Check(LOCAL, url=f"http://www.example.com:{port}{path}", **options)
        clinic.load([check])
        assert (await clinic.becomes(check, up))["error"] == problem.format(port=port)
        await site.stop()

    play(scene, interval=60)


def test_an_http_answer_that_does_not_end_is_timed_out() -> None:
    async def scene(clinic: Clinic) -> None:
        site = Site(page)
        url = f"http://www.example.com:{await site.start()}"
        checks = [
            Check(LOCAL, url=f"{url}/slow", timeout=1),
            Check(LOCAL, url=f"{url}/stalls", timeout=1),
            Check(LOCAL, url=f"{url}/stalls", timeout=1, stringmatch="some"),
        ]
        clinic.load(checks)
        for check in checks:
            assert (await clinic.becomes(check, False))["error"] == "timed out"
        await site.stop()

    play(scene, interval=60)


def test_an_http_check_asks_the_candidate_for_the_host_of_the_url() -> None:
    async def scene(clinic: Clinic) -> None:
        site = Site(page)
        port = await site.start()
        check = Check(LOCAL, url=f"http://www.example.com:{port}/ok?x=%20y", useragent="probe/1")
        clinic.load([check])
        await clinic.becomes(check, True)
        assert site.requests[0].headers["Host"] == f"www.example.com:{port}"
        assert site.requests[0].headers["User-Agent"] == "probe/1"
        assert site.requests[0].raw_path == "/ok?x=%20y"
        await site.stop()

    play(scene)


@pytest.mark.difference("D-40")
def test_an_https_check_sends_sni_and_ignores_the_certificate(tmp_path: Path) -> None:
    async def scene(clinic: Clinic) -> None:
        names: list[str | None] = []
        tls = self_signed(tmp_path)
        tls.sni_callback = lambda _socket, server_name, _context: names.append(server_name)
        site = Site(page)
        port = await site.start(tls)
        check = Check(LOCAL, url=f"https://www.example.com:{port}/ok")
        clinic.load([check])
        await clinic.becomes(check, True)
        assert names[0] == "www.example.com"
        assert site.requests[0].version == (1, 1)
        assert site.requests[0].headers["Host"] == f"www.example.com:{port}"
        await site.stop()

    play(scene)


def test_a_target_goes_down_only_after_so_many_failures_in_a_row() -> None:
    async def scene(clinic: Clinic) -> None:
        answers = [200, 500, 500, 200, 500, 500, 500]
        seen: list[int] = []
        over = asyncio.Event()

        async def handle(_: web.Request) -> web.StreamResponse:
            if len(seen) == len(answers):
                # Nothing more is answered, however late the status is looked at.
                await over.wait()
                return web.Response(status=500)
            seen.append(answers[len(seen)])
            return web.Response(status=seen[-1])

        site = Site(handle)
        port = await site.start()
        url = f"http://www.example.com:{port}/"
        patient = Check(LOCAL, url=url, minimum_failures=3, timeout=int(PATIENCE))
        clinic.load([patient])
        await clinic.becomes(patient, True)
        known = await clinic.becomes(patient, False)
        # Two failures before the success in between did not count.
        assert len(seen) == len(answers)
        assert known["failures"] == 3
        over.set()
        await site.stop()

    play(scene, interval=0.02)


@pytest.mark.parametrize(
    ("body", "weight"),
    [(b"42", 42), (b" 7\n", 7), (b"0", 1), (b"12 of 20", 12), (b"fine", 1), (b"", 1), (b"-3", 1)],
)
@pytest.mark.parametrize("path", ["/", "/./"])
def test_the_number_in_a_body_is_the_weight(body: bytes, weight: int, path: str) -> None:
    async def scene(clinic: Clinic) -> None:
        async def handle(_: web.Request) -> web.StreamResponse:
            return web.Response(body=body)

        site = Site(handle)
        port = await site.start()
        # With a path to be made shorter, the whole client asks.
        check = Check(LOCAL, url=f"http://www.example.com:{port}{path}")
        clinic.load([check])
        known = await clinic.becomes(check, True)
        assert known["weight"] == clinic.view.weight(check) == weight
        await site.stop()

    play(scene)


def test_an_url_is_asked_for_as_its_author_wrote_it() -> None:
    async def scene(clinic: Clinic) -> None:
        site = Site(page)
        port = await site.start()
        octets = f"http://www.example.com:{port}/ok?é".encode()
        check = Check(LOCAL, url=octets.decode("latin-1"))
        clinic.load([check])
        await clinic.becomes(check, True)
        assert site.requests[0].raw_path == "/ok?%C3%A9"
        await site.stop()

    play(scene)


def test_a_host_that_refuses_connections_is_said_to_do_that() -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        sock.close()
        check = Check("", url=f"http://{LOCAL}:{port}/")
        clinic.load([check])
        assert (await clinic.becomes(check, False))["error"] == "Connection refused"

    play(scene)


def test_what_goes_wrong_with_a_check_is_logged_without_its_password(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(clinic: Clinic) -> None:
        check = Check("", url="http://me:secret@www.example.com/")
        clinic.load([check])
        assert (await clinic.becomes(check, False))["error"] == "unheard of"

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("unheard of")

    monkeypatch.setattr(HttpClient, "run", fail)
    play(scene)
    assert "checking http://***@www.example.com/" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("path", ["/ok", "/./ok"])
def test_headers_of_a_record_take_the_place_of_ours(path: str) -> None:
    async def scene(clinic: Clinic) -> None:
        site = Site(page)
        port = await site.start()
        named = ("X-Name", "zoë".encode().decode("latin-1"))
        headers = (("X-Probe", "1"), named, ("accept", "text/plain"), ("Host", "other.example"))
        check = Check(LOCAL, url=f"http://www.example.com:{port}{path}", headers=headers)
        clinic.load([check])
        await clinic.becomes(check, True)
        sent = site.requests[0].headers
        assert (sent["X-Probe"], sent["X-Name"]) == ("1", "zoë")
        assert sent.getall("Accept") == ["text/plain"]
        assert sent.getall("Host") == ["other.example"]
        await site.stop()

    play(scene)


@pytest.mark.parametrize(
    ("answer", "options", "problem"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", {"stringmatch": "end"}, ""),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nokbut", {"stringmatch": "but"}, "no 'but'"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", {"stringmatch": "ok"}, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", {}, "closed within the body"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;x=y\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n",
            {"stringmatch": "needle"},
            "",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n",
            {},
            "closed within the body",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", {"httpcode": 204}, ""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\n", {}, "HTTP status 503"),
        (b"HTTP/1.1 200 OK\r\n", {}, "no HTTP answer"),
        (b"SSH-2.0-OpenSSH\r\n", {}, "no HTTP answer"),
        (b"", {}, "the connection was closed"),
    ],
)
@pytest.mark.parametrize("piece", [1, 10_000])
def test_answers_come_in_any_form_and_in_pieces(
    answer: bytes, options: dict[str, Any], problem: str, piece: int
) -> None:
    async def scene(clinic: Clinic) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(answer), piece):
                writer.write(answer[start : start + piece])
                await asyncio.sleep(0)
            writer.close()

        server = await asyncio.start_server(talk, LOCAL, 0)
        port = server.sockets[0].getsockname()[1]
        check = Check(LOCAL, url=f"http://www.example.com:{port}/", **options)
        clinic.load([check])
        known = await clinic.becomes(check, not problem)
        assert problem in known["error"]
        assert bool(problem) == bool(known["error"])
        server.close()

    play(scene, interval=60)


def test_a_target_is_not_down_because_we_had_no_time_to_listen() -> None:
    asked, held_up, answered = (threading.Event() for _ in range(3))

    def serve(sock: socket.socket) -> None:
        connection, _ = sock.accept()
        with connection:
            connection.recv(4096)
            asked.set()
            held_up.wait(PATIENCE)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            answered.set()

    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        thread = threading.Thread(target=serve, args=(sock,), daemon=True)
        thread.start()
        check = Check(LOCAL, url=f"http://www.example.com:{port}/status", timeout=1)
        clinic.load([check])
        async with asyncio.timeout(PATIENCE):
            while not asked.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0)
        held_up.set()
        # What the event loop must survive: the answer is there, and the time is over.
        answered.wait(PATIENCE)
        time.sleep(check.timeout)  # noqa: ASYNC251
        await clinic.becomes(check, True)
        assert clinic.known(check)["runs"] == 1
        thread.join(PATIENCE)
        sock.close()

    play(scene, interval=60)


def test_an_http_check_reaches_ipv6() -> None:
    async def scene(clinic: Clinic) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        heard: list[bytes] = []
        server = await asyncio.start_server(talk, "::1", 0)
        port = server.sockets[0].getsockname()[1]
        check = Check("::1", url=f"http://[2001:db8::1]:{port}/")
        clinic.load([check])
        await clinic.becomes(check, True)
        assert f"Host: [2001:db8::1]:{port}\r\n".encode() in heard[0]
        server.close()

    play(scene)


def test_garbage_instead_of_http_is_down() -> None:
    async def scene(clinic: Clinic) -> None:
        async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\0\1\2 not http\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(babble, LOCAL, 0)
        port = server.sockets[0].getsockname()[1]
        checks = [
            Check(LOCAL, url=f"http://www.example.com:{port}/"),
            Check(LOCAL, url="ftp://www.example.com/"),
            Check(LOCAL, url="http://"),
        ]
        clinic.load(checks)
        for check in checks:
            assert (await clinic.becomes(check, False))["error"]
        server.close()

    play(scene)
