"""What the checker reaches: not what only this machine sees, unless the zone says so itself."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from lzc.bundle.check_list import CheckList
from lzc.health_check import Check
from lzc.lua.health.constants import of_checks
from lzc.lua.health.reach import CheckReach, CheckRules
from lzc.serve.health.admission import SETTLED, Admission, CheckPolicy
from lzc.serve.health.unlisted import BURST, ZONE_BURST, ZONE_NEW_A_SECOND, Unlisted, report_of
from lzc.serve.ipc.health_table import HealthTable
from lzc.serve.observe.log_lines import ErrorLog
from tests.patience import PATIENCE, SOON
from tests.unit.clinic import LOCAL, Clinic, listening, play
from tests.unit.own_network import own_network

ZONE = b"\7example\3org\0"
OTHER = b"\7example\3net\0"


class Site:
    """A web server on loopback; ``paths`` are those it was asked for, ``peers`` by whom."""

    def __init__(self, answer: Callable[[web.BaseRequest], web.Response]) -> None:
        self._answer = answer
        self.paths: list[str] = []
        self.hosts: list[str] = []

    async def __aenter__(self) -> Site:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            self.paths.append(request.path)
            self.hosts.append(request.host)
            return self._answer(request)

        self._runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "0.0.0.0", 0).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


def fine(_: web.BaseRequest) -> web.Response:
    return web.Response(text="fine")


async def known(clinic: Clinic, check: Check) -> None:
    async with asyncio.timeout(PATIENCE):
        while clinic.view.status(check, ZONE) is None:  # noqa: ASYNC110 - as workers do
            await asyncio.sleep(SOON)


async def counted(clinic: Clinic, what: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not clinic.table.counts()[what]:  # noqa: ASYNC110 - as `lzc ctl status` does
            await asyncio.sleep(SOON)


def allowing(*networks: str) -> CheckRules:
    return CheckRules(CheckReach(tuple(ipaddress.ip_network(one) for one in networks)))


def test_a_listed_check_of_what_may_not_be_reached_is_not_made_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sock, port = listening()
    denying = CheckRules(CheckReach(deny=(ipaddress.ip_network("127.0.0.2/32"),)))
    metadata = Check("169.254.169.254", 80)
    denied = Check("127.0.0.2", port)
    written = Check(LOCAL, port)

    async def scene(clinic: Clinic) -> None:
        clinic.load([metadata, denied, written])
        await clinic.becomes(written, True)
        assert clinic.view.status(metadata) is None
        assert clinic.view.status(denied) is None
        assert "link-local" in clinic.known(metadata)["error"]
        assert 'allow = ["169.254.169.254/32"] in [health]' in clinic.known(metadata)["error"]
        assert "127.0.0.2/32, which deny lists" in clinic.known(denied)["error"]
        assert {clinic.known(one)["status"] for one in (metadata, denied)} == {"unknown"}
        # First answers do not wait for what will never be known.
        assert clinic.table.complete()
        assert clinic.table.counts()["barred"] == 2

    with sock, caplog.at_level(logging.ERROR):
        play(scene, rules=denying)
    assert "2 of the bundle's checks may not be made, such as " in caplog.text


def test_a_computed_address_on_loopback_is_checked_only_where_that_is_allowed() -> None:
    sock, port = listening()
    constants = {ZONE: of_checks([Check(LOCAL, port)])}
    check = Check("127.0.0.3", port)

    async def refused(clinic: Clinic) -> None:
        clinic.checker.load(CheckList((), constants))
        assert clinic.view.status(check, ZONE) is None
        await counted(clinic, "barred")
        assert clinic.table.counts()["checks"] == 0
        error = clinic.known(check)["error"]
        assert "127.0.0.3 is loopback, and does not stand in the zone as a constant" in error

    async def allowed(clinic: Clinic) -> None:
        clinic.checker.load(CheckList((), constants))
        await known(clinic, check)
        # The constants are those of one zone.
        assert clinic.view.status(Check("127.0.0.4", port), OTHER) is None
        await counted(clinic, "computed")

    with sock:
        play(refused, rules=CheckRules())
        play(allowed, rules=allowing("127.0.0.0/8"))


def test_a_bundle_without_the_constants_ends_the_checks_that_were_made_of_them() -> None:
    sock, port = listening()
    check = Check("127.0.0.3", port)

    async def scene(clinic: Clinic) -> None:
        clinic.checker.load(CheckList((), {ZONE: of_checks([check])}))
        await known(clinic, check)
        clinic.checker.load(CheckList())
        assert clinic.table.counts()["checks"] == 0

    with sock:
        play(scene, rules=allowing("127.0.0.0/8"))


@pytest.mark.difference("D-28")
@pytest.mark.parametrize("path", ["/", "/./"])
def test_a_redirect_does_not_lead_to_loopback(path: str) -> None:
    async def scene(clinic: Clinic) -> None:
        async with Site(fine) as secret:
            away = f"http://{LOCAL}:{secret.port}/secret"
            moved = web.HTTPFound(away)
            async with Site(lambda _: web.Response(status=302, headers=moved.headers)) as first:
                check = Check(LOCAL, url=f"http://www.example.com:{first.port}{path}")
                clinic.load([check])
                error = (await clinic.becomes(check, False))["error"]
                assert f"{LOCAL} is loopback" in error
                assert error.endswith(f", redirected to {away}")
                assert first.paths
                assert secret.paths == []

    play(scene, rules=CheckRules())


def test_a_redirect_is_followed_where_that_is_allowed() -> None:
    async def scene(clinic: Clinic) -> None:
        async with Site(fine) as there:
            headers = {"Location": f"http://{LOCAL}:{there.port}/there"}
            async with Site(lambda _: web.Response(status=302, headers=headers)) as first:
                check = Check(LOCAL, url=f"http://www.example.com:{first.port}/")
                clinic.load([check])
                await clinic.becomes(check, True)
                assert set(there.paths) == {"/there"}

    play(scene, rules=allowing("127.0.0.1/32"))


def test_an_address_in_a_url_of_the_zone_is_a_constant() -> None:
    async def scene(clinic: Clinic) -> None:
        async with Site(fine) as site:
            written = Check("", url=f"http://{LOCAL}:{site.port}/")
            clinic.load([written, Check("", url="http://169.254.169.254/latest/")])
            await clinic.becomes(written, True)
            assert (
                len([one for one in clinic.checker.report() if "link-local" in one["error"]]) == 1
            )

    play(scene, rules=CheckRules())


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1"])
def test_what_the_resolver_takes_for_loopback_is_not_reached(host: str) -> None:
    async def scene(clinic: Clinic) -> None:
        async with Site(fine) as site:
            check = Check("", url=f"http://{host}:{site.port}/")
            clinic.load([check])
            error = (await clinic.becomes(check, False))["error"]
            assert "is loopback" in error
            assert site.paths == []

    play(scene, rules=CheckRules())


def test_a_name_is_looked_up_once_and_what_was_judged_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    answers: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: Any, *more: Any, **options: Any) -> Any:
        if not str(host).endswith(".example"):
            return real(host, port, *more, **options)
        asked.append(host)
        # Whoever asks a second time gets another address.
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        return real(address, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def scene(clinic: Clinic) -> None:
        async with Site(fine) as site:
            answers[:] = ["127.0.0.5", LOCAL]
            check = Check("", url=f"http://rebinds.example:{site.port}/")
            clinic.load([check])
            await clinic.becomes(check, True)
            assert asked == ["rebinds.example"]
            assert site.hosts == [f"rebinds.example:{site.port}"]
            answers[:] = [LOCAL, "127.0.0.5"]
            other = Check("", url=f"http://{'again'}.example:{site.port}/")
            clinic.load([other])
            assert f"{LOCAL} is loopback" in (await clinic.becomes(other, False))["error"]
            assert len(site.paths) == 1

    play(scene, interval=60, rules=allowing("127.0.0.5/32"))


def test_of_several_addresses_the_next_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def look_up(host: str, port: Any, *more: Any, **options: Any) -> Any:
        if host != "many.example":
            return real(host, port, *more, **options)
        # Nothing listens on the first, the second may not be reached, the third is fine.
        rows = [real(one, port, *more, **options) for one in ("::1", "10.0.0.1", LOCAL)]
        return [row for found in rows for row in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def scene(clinic: Clinic) -> None:
        async with Site(fine) as site:
            check = Check("", url=f"http://many.example:{site.port}/")
            clinic.load([check])
            await clinic.becomes(check, True)

    play(scene, rules=allowing("127.0.0.0/8", "::1/128"))


def test_addresses_of_this_machine_are_known() -> None:
    unshare = own_network()
    code = (
        "from lzc.serve.transport.sockets import own_address_refusal as refusal\n"
        "from lzc.lua.health.reach import CheckReach\n"
        "print([refusal(one, CheckReach()) is not None for one in"
        " ('203.0.113.7', '2001:db8:5::7', '203.0.113.8', '2001:db8:5::8', '')])"
    )
    script = (
        "ip link set lo up; ip addr add 203.0.113.7/32 dev lo;"
        ' ip -6 addr add 2001:db8:5::7/128 dev lo nodad; exec "$@"'
    )
    done = subprocess.run(
        [*unshare, "sh", "-ec", script, "sh", sys.executable, "-c", code],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[True, True, False, False, False]", done.stderr


def test_clients_of_one_zone_give_up_only_its_own_checks() -> None:
    async def scene(clinic: Clinic) -> None:
        def add(number: int, zone: bytes) -> bytes:
            check = Check(LOCAL, 1, interval=60, stringmatch=str(number))
            clinic.checker.add_unlisted(check, check.key(), zone)
            return check.key()

        theirs = [add(number, OTHER) for number in range(3)]
        for number in range(100, 150):
            add(number, ZONE)
        counts = clinic.table.counts()
        assert counts["unlisted"] == 3 + 5
        assert counts["unlisted_evicted"] == 45
        assert all(clinic.table.find(key) >= 0 for key in theirs)
        # And where all zones together have too many, the largest gives way.
        for number in range(200, 205):
            add(number, b"\3new\0")
        assert clinic.table.counts()["unlisted"] == 10
        assert all(clinic.table.find(key) >= 0 for key in theirs)

    play(scene, interval=60, unlisted=10, share=5)


def test_one_zone_takes_a_part_of_what_begins_a_second() -> None:
    unlisted = Unlisted(10_000, 0.0, 10_000)
    assert sum(unlisted.looks_at(ZONE, 0.0) for _ in range(1000)) == ZONE_BURST
    assert sum(unlisted.looks_at(ZONE, 1.0) for _ in range(1000)) == ZONE_NEW_A_SECOND
    assert sum(unlisted.looks_at(OTHER, 1.0) for _ in range(1000)) == ZONE_BURST
    assert BURST > 2 * ZONE_BURST
    # Names of zones cost no memory for good.
    for number in range(5000):
        unlisted.looks_at(number, 1.0 + 60 * number)
    assert unlisted.remembered() <= 1024


def test_what_a_new_bundle_lists_counts_for_nothing_when_it_is_asked_for_somewhat_early(
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = HealthTable(64)
    admission = Admission(CheckPolicy(), table, ErrorLog(), str, 0.0)
    checks = [Check("192.0.2.1", port) for port in range(200)]

    def ask(now: float) -> None:
        for check in checks:
            assert admission.asked(report_of(check, ZONE), now, ()) is None
        admission.tell(now)

    ask(100.0)
    admission.load(CheckList(tuple(checks)))
    admission.tell(100.0 + 2 * SETTLED)
    assert not any(table.counts().values())
    admission.load(CheckList())
    ask(1000.0)
    admission.tell(1000.0 + SETTLED)
    counts = table.counts()
    assert counts["computed"] + counts["unlisted_refused"] == 200
    assert caplog.text.count("WARNING") == 2
