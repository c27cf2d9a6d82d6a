"""NOTIFY, against secondaries that lose messages, lag behind, or refuse."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from lzc.config import SecondarySection
from lzc.serve.notify.message import is_current
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.notify.secondary import NotifyTimes
from lzc.wire import message, name, rrtype, tsig
from lzc.wire.compose import compose
from lzc.wire.message import RRset, parse_query
from lzc.wire.tsig import TsigKey
from tests.patience import PATIENCE, SOON
from tests.unit.live_server import TSIG_NAME, TSIG_SECRET, LiveServer, Project

KEY = TsigKey(name.from_text(TSIG_NAME), "hmac-sha256", base64.b64decode(TSIG_SECRET))
ORG = name.from_text("example.org.")
COM = name.from_text("example.com.")


class FakeSecondary(asyncio.DatagramProtocol):
    """Answers NOTIFY and SOA queries, signed; what tests change is in its attributes."""

    def __init__(self) -> None:
        self.lose = 0
        self.rcode = 0
        self.serials: dict[bytes, int] = {}
        self.takes: Callable[[bytes], None] = lambda apex: None
        self.answer_key = KEY
        self.seen: list[tuple[int, bytes]] = []
        self.unsigned = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.transport.get_extra_info('sockname')[1]}"

    def opcodes(self, apex: bytes = ORG) -> list[int]:
        return [opcode for opcode, zone in self.seen if zone == apex]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = parse_query(data)
        assert query.qtype == rrtype.SOA
        self.seen.append((query.opcode, query.qname_lower))
        checked = tsig.verify_request(query, {self.answer_key.name: self.answer_key}, time.time())
        self.unsigned += not query.tsig
        if self.lose > 0:
            self.lose -= 1
            return
        apex = query.qname_lower
        if query.opcode == message.NOTIFY and not self.rcode:
            self.takes(apex)
        answer = []
        if query.opcode == message.QUERY and apex in self.serials:
            numbers = (self.serials[apex], 1, 1, 1, 1)
            rdata = apex + apex + b"".join(n.to_bytes(4, "big") for n in numbers)
            answer = [RRset(apex, rrtype.SOA, 60, (rdata,))]
        flags = message.QR | message.AA | query.opcode << 11 | self.rcode
        wire = compose(query.id, flags, query.question, answer)
        if query.tsig:
            wire, _ = tsig.sign(wire, self.answer_key, time.time(), checked.mac)
        self.transport.sendto(wire, addr)


def section(secondary: FakeSecondary, **more: Any) -> SecondarySection:
    return SecondarySection(name="ns2", address=secondary.address, **{"tsig": TSIG_NAME, **more})


class Stage:
    """Who tells secondaries, and one fake secondary, in an event loop."""

    secondary: FakeSecondary
    notifier: Secondaries

    async def begin(self, times: NotifyTimes, **more: Any) -> None:
        loop = asyncio.get_running_loop()
        _, self.secondary = await loop.create_datagram_endpoint(
            FakeSecondary, local_addr=("127.0.0.1", 0)
        )
        self.notifier = Secondaries([section(self.secondary, **more)])
        self.notifier.start({KEY.name: KEY}, times)

    def state(self, apex: str = "example.org.") -> dict[str, Any]:
        states = self.notifier.status()[0]["states"]
        return next(one for one in states if one["zone"] == apex)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - nothing tells the test
                await asyncio.sleep(SOON)

    def at_rest(self) -> bool:
        """Whether nothing is to be sent any more."""
        return all(one.next_due() is None for one in self.notifier.notified)

    def end(self) -> None:
        self.notifier.close()
        self.secondary.transport.close()


ANSWERED = NotifyTimes(PATIENCE, PATIENCE, 0.02)
"""For secondaries that answer: a machine that is slow is no reason to ask again."""
AGAIN = NotifyTimes(0.05, 0.2, 0.02, patience=0.05, probe=0.05)
"""For those that do not."""


def play(scene: Callable[[Stage], Any], times: NotifyTimes = AGAIN, **more: Any) -> None:
    async def run() -> None:
        stage = Stage()
        await stage.begin(times, **more)
        try:
            await scene(stage)
        finally:
            stage.end()

    asyncio.run(run())


def test_a_secondary_that_takes_the_zone_is_asked_once_and_left_alone() -> None:
    async def scene(stage: Stage) -> None:
        stage.secondary.takes = lambda apex: stage.secondary.serials.update({apex: 7})
        stage.notifier.update({ORG: 7})
        await stage.until(lambda: stage.state()["current"])
        assert stage.at_rest()
        assert stage.secondary.opcodes() == [message.NOTIFY, message.QUERY]
        assert stage.secondary.unsigned == 0
        assert stage.state()["acknowledged"]
        assert stage.state()["secondary_serial"] == 7

    play(scene, ANSWERED)


def test_notify_is_sent_again_until_it_is_answered() -> None:
    async def scene(stage: Stage) -> None:
        stage.secondary.lose = 10**9
        stage.secondary.takes = lambda apex: stage.secondary.serials.update({apex: 7})
        stage.notifier.update({ORG: 7})
        await stage.until(lambda: stage.state()["error"] == "no answer to NOTIFY")
        await stage.until(lambda: len(stage.secondary.seen) > 3)
        assert set(stage.secondary.opcodes()) == {message.NOTIFY}
        stage.secondary.lose = 0
        await stage.until(lambda: stage.state()["current"])
        assert stage.secondary.opcodes()[-1] == message.QUERY

    play(scene)


def test_a_secondary_that_lags_behind_is_notified_again() -> None:
    async def scene(stage: Stage) -> None:
        stage.secondary.serials[ORG] = 5
        stage.notifier.update({ORG: 7})
        await stage.until(lambda: stage.secondary.opcodes().count(message.NOTIFY) >= 3)
        await stage.until(lambda: stage.state()["error"] == "behind")
        assert stage.state()["secondary_serial"] == 5
        assert not stage.state()["current"]
        stage.secondary.serials[ORG] = 7
        await stage.until(lambda: stage.state()["current"])

    play(scene)


def test_a_refusal_is_shown_and_tried_again() -> None:
    async def scene(stage: Stage) -> None:
        stage.secondary.rcode = message.NOTAUTH
        stage.notifier.update({ORG: 7})
        await stage.until(
            lambda: stage.state()["error"] == "answered NOTAUTH, to NOTIFY: it has no such zone"
        )
        stage.secondary.rcode = 0
        stage.secondary.serials[ORG] = 7
        await stage.until(lambda: stage.state()["current"])

    play(scene)


def test_an_answer_signed_with_another_key_is_not_believed() -> None:
    async def scene(stage: Stage) -> None:
        stage.secondary.serials[ORG] = 7
        stage.secondary.answer_key = TsigKey(KEY.name, KEY.algorithm, b"another secret")
        stage.notifier.update({ORG: 7})
        await stage.until(lambda: "TSIG" in stage.state()["error"])
        await stage.until(lambda: stage.secondary.opcodes().count(message.NOTIFY) >= 3)
        assert not stage.state()["acknowledged"]

    play(scene)


def test_only_zones_that_are_listed_and_changed_are_notified() -> None:
    async def scene(stage: Stage) -> None:
        stage.secondary.takes = lambda apex: stage.secondary.serials.update({apex: 7})
        stage.notifier.update({ORG: 7, COM: 7})
        await stage.until(lambda: stage.state()["current"])
        assert stage.secondary.opcodes(COM) == []
        stage.notifier.update({ORG: 7, COM: 7})
        assert stage.at_rest()
        assert stage.secondary.opcodes() == [message.NOTIFY, message.QUERY]
        stage.secondary.takes = lambda apex: stage.secondary.serials.update({apex: 8})
        stage.notifier.update({ORG: 8, COM: 7})
        await stage.until(lambda: stage.state()["current"])
        assert stage.secondary.opcodes() == [message.NOTIFY, message.QUERY] * 2
        stage.notifier.update({COM: 7})
        assert stage.notifier.status()[0]["zones"] == 0

    play(scene, ANSWERED, zones=["*.org"])


def test_a_thousand_zones_are_told_though_some_never_answer() -> None:
    async def scene(stage: Stage) -> None:
        zones = {name.from_text(f"z{number}.example."): 3 for number in range(1000)}
        deaf = set(list(zones)[:150])
        original = stage.secondary.datagram_received

        def received(data: bytes, addr: Any) -> None:
            if parse_query(data).qname_lower not in deaf:
                original(data, addr)

        stage.secondary.datagram_received = received  # type: ignore[method-assign]
        stage.secondary.serials = dict.fromkeys(zones, 3)
        stage.notifier.update(zones)
        await stage.until(lambda: stage.notifier.status()[0]["current"] == 850)

    play(scene, NotifyTimes(0.02, 0.2, 0.01, probe=0.05))


def test_serials_compare_as_rfc_1982_says() -> None:
    assert is_current(5, 5)
    assert is_current(6, 5)
    assert not is_current(4, 5)
    assert is_current(0, 0xFFFFFFFF)
    assert not is_current(0xFFFFFFFF, 0)


def test_the_server_notifies_at_start_and_after_a_reload_with_the_secrets_of_the_time(
    tmp_path: Path,
) -> None:
    async def scene(stage: Stage) -> None:
        secondary = stage.secondary
        project = Project(
            tmp_path,
            f'[tsig."turn."]\nsecret-file = "turn.tsig"\n[[secondary]]\nname = "ns2"\n'
            f'address = "{secondary.address}"\ntsig = "turn."\n',
        )

        def share(secret: bytes) -> None:
            file = tmp_path / "turn.tsig"
            file.touch(0o600)
            file.write_bytes(base64.b64encode(secret))
            secondary.answer_key = TsigKey(name.from_text("turn."), "hmac-sha256", secret)

        share(b"the first secret")
        project.build({"example.org": ""}, serial=7)
        secondary.takes = lambda apex: secondary.serials.update({apex: 7})

        def current(server: LiveServer, serial: int) -> bool:
            states = server.control("status")["secondaries"][0]["states"]
            return bool(states[0]["current"]) and states[0]["serial"] == serial

        def run() -> None:
            with LiveServer(project) as server:
                server.wait_for(lambda: current(server, 7))
                project.build({"example.org": ""}, serial=8)
                share(b"another secret")
                secondary.takes = lambda apex: secondary.serials.update({apex: 8})
                server.control("reload")
                server.wait_for(lambda: current(server, 8))

        await asyncio.to_thread(run)

    play(scene)
