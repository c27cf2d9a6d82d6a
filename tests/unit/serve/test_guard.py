"""What becomes of LUA records that take long, and of those beside them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dns.rcode
import pytest

from lzc.lua.engine.execution import Counted, FailureKind, Include, LuaFailure, QueryContext
from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.worker.guard import GuardedEngine, code_id
from lzc.serve.worker.penalties import AHEAD, FIRST, LONGEST, SHARE, SHARE_OF_ALL, SLOW
from lzc.serve.worker.serving import RecordLog
from tests.patience import PATIENCE
from tests.unit.live_server import UNHURRIED, LiveServer, Project, query_wire, udp_socket

ASKED = QueryContext(b"\0", b"\0", b"\x7f\0\0\1")


class World:
    """A guard over an engine that takes as long as its code says: ``0.1`` s of CPU time; ``!time``
    or ``!memory`` behind it fails so, and with ``waits`` only the clock on the wall goes on."""

    def __init__(self, *, shares: bool = True) -> None:
        self.now = 100.0
        self.cpu = 0.0
        self.zone = b"\0"
        self.swept = 0.0
        self.fast = False
        self.slot = Scoreboard(1).slot(0)
        clocks = (lambda: self.now, lambda: self.cpu)
        self.guard = GuardedEngine(self, self.slot, (), *clocks, shares=shares)

    def sample(self, each: int, counted: Counted) -> None:
        pass

    def evaluate(self, code: bytes, _query: QueryContext, _include: Include) -> list[bytes]:
        if self.fast:
            return [code]
        seconds, _, how = code.decode().partition(" ")[0].partition("!")
        self.now += float(seconds)
        if b"waits" not in code:
            self.cpu += float(seconds)
        if how:
            kinds: dict[str, FailureKind] = {"time": "time", "memory": "memory"}
            raise LuaFailure(kinds[how], "too much")
        return [code]

    def ask(self, code: str, after: float = 0.0) -> str:
        """The kind of failure, or nothing."""
        self.now += after
        query = ASKED._replace(zone=self.zone)
        try:
            for one in code.split(" and "):
                self.guard.evaluate(one.encode(), query, lambda _: None)
        except LuaFailure as failure:
            return failure.kind
        finally:
            assert self.slot.running_lua() is None
        return ""

    def share(self, codes: list[str], seconds: float, pause: float = 0.01) -> float:
        """What part of a time codes take that are asked with so little pause."""
        end, before = self.now + seconds, self.cpu
        while self.now < end:
            for code in codes:
                self.ask(code)
            self.now += pause
        return (self.cpu - before) / seconds


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.difference("D-22")
@pytest.mark.parametrize("kind", ["time", "memory"])
def test_code_that_hits_a_limit_rests_each_time_twice_as_long(world: World, kind: str) -> None:
    code = f"0.1!{kind}"
    for pause in (FIRST, 2 * FIRST, 4 * FIRST):
        assert world.ask(code) == kind
        assert world.ask(code, pause / 2) == "quarantine"
        assert world.ask("0.0001") == ""
        world.now += pause / 2
    assert world.share([code], 50 * LONGEST, 10) < 0.1 / LONGEST * 2


def test_code_that_behaves_again_is_as_before(world: World) -> None:
    assert world.ask("0.1!time") == "time"
    for _ in range(3):
        # It rests for so long, and has behaved for as long.
        assert world.ask("0.1!time", 3 * FIRST) == "time"
        assert world.ask("0.1!time", FIRST * 0.9) == "quarantine"


def test_slow_code_gets_its_share(world: World) -> None:
    assert world.share(["0.09"], 300, 0.02) < SHARE * 1.2
    assert world.ask("0.0001") == ""
    many = [f"0.02 {number}" for number in range(20)]
    assert world.share(many, 300, 0.1) < SHARE_OF_ALL * 1.2


def test_what_code_did_can_be_forgotten(world: World) -> None:
    for code in ("0.1!time", "0.1", "0.2", "0.3"):
        world.ask(code)
    assert {world.ask(code) for code in ("0.1!time", "0.1", "0.2", "0.3")} == {"quarantine"}
    world.guard.forgive()
    assert [world.ask(code) for code in ("0.1!time", "0.1")] == ["time", ""]


def test_without_a_limit_of_time_slow_code_may_take_it_all() -> None:
    world = World(shares=False)
    assert world.share(["0.09"], 300) > 0.8
    assert {world.ask("0.09") for _ in range(100)} == {""}


def test_slow_code_that_is_seldom_asked_never_rests(world: World) -> None:
    assert {world.ask("0.02", 0.25) for _ in range(1000)} == {""}


def test_fast_code_never_rests(world: World) -> None:
    code = f"{SLOW / 2}"
    assert {world.ask(code) for _ in range(10_000)} == {""}
    assert not world.guard.penalties


def test_a_machine_that_is_busy_is_not_the_fault_of_the_code(world: World) -> None:
    assert {world.ask(f"{AHEAD} waits") for _ in range(100)} == {""}
    assert world.ask("0.0001 waits") == ""


def test_code_that_was_slow_once_is_not_watched_for_good(world: World) -> None:
    world.ask("0.02 waits")
    # It was fast, by its own time; then it is not, by the clock.
    assert not world.guard.penalties
    world.ask("0.02 waits")
    assert len(world.guard.penalties) == 1
    # The same code, fast this time.
    world.fast = True
    assert world.ask("0.02 waits", 1) == ""
    assert not world.guard.penalties


def test_slow_code_that_was_never_seen_is_kept_to_the_share_as_well(world: World) -> None:
    assert world.ask("0.0001 known") == ""
    flood = [f"0.1 {number}" for number in range(1000)]
    assert world.share(flood, 20, 0.5) < SHARE_OF_ALL * 1.5
    # In its zone, only what is known to be fast runs; in others, everything does.
    assert [world.ask(f"0.1 more {number}") for number in range(9)][-1] == "quarantine"
    assert world.ask("0.0001 known") == ""
    world.zone = b"\x05other\0"
    assert world.ask("0.0001 new") == ""


def test_known_code_goes_on_while_the_machine_is_busy_and_slow_code_about(world: World) -> None:
    assert world.ask("0.02 waits") == ""
    world.share([f"0.1 {number}" for number in range(100)], 20, 0.5)
    assert {world.ask("0.02 waits") for _ in range(10)} == {""}


def test_the_same_code_in_another_zone_is_another(world: World) -> None:
    # What it includes there may be another zone's to write.
    assert world.ask("0.1!time") == "time"
    assert world.ask("0.1!time") == "quarantine"
    world.guard.quarantine(code_id(world.zone, b"0.0001"))
    assert world.ask("0.0001") == "quarantine"
    world.zone = b"\x05other\0"
    assert world.ask("0.1!time") == "time"
    assert world.ask("0.0001") == ""


def test_records_at_a_name_are_not_slow_together(world: World) -> None:
    many = " and ".join(f"{SLOW * 0.9} {number}" for number in range(1000))
    before = world.cpu
    assert world.ask(many) == "time"
    assert world.cpu - before < AHEAD + 3 * SLOW
    assert world.ask(many) == "quarantine"
    assert world.share([many], 300) < SHARE
    # What others are there does not rest, and a few are no harm.
    few = " and ".join(f"{SLOW * 0.9} {number}" for number in range(1, 20))
    assert {world.ask(few) for _ in range(100)} == {""}


def test_time_that_results_take_is_that_of_the_code(world: World) -> None:
    def work(seconds: float) -> str:
        world.now += seconds
        world.cpu += seconds
        return "read"

    def asked() -> bool:
        if world.ask("0.0001", 0.01):
            return False
        assert world.guard.meter(b"0.0001", world.zone, lambda: work(0.1)) == "read"
        return True

    end, before = world.now + 100, world.cpu
    while world.now < end:
        asked()
    assert world.cpu - before < 100 * SHARE * 1.2
    world.now += 100
    for _ in range(1000):
        assert world.ask("0.0001", 0.01) == ""
        world.guard.meter(b"0.0001", world.zone, lambda: work(SLOW / 2))


@pytest.mark.parametrize(
    ("code", "reading", "slow"),
    [
        (f"{SLOW * 0.8}", SLOW * 0.8, True),
        (f"{SLOW * 0.3}", SLOW * 0.8, True),
        (f"{SLOW * 0.8}", SLOW * 0.1, False),
        # The machine was busy: that is not the code's time.
        (f"{SLOW * 0.8} waits", SLOW * 0.8, False),
    ],
)
def test_to_run_code_and_to_read_its_result_are_one_time(
    world: World, code: str, reading: float, slow: bool
) -> None:
    def read() -> None:
        world.now += reading
        world.cpu += reading

    end, before, asked = world.now + 100, world.cpu, 0
    while world.now < end:
        asked += 1
        if not world.ask(code, 0.001):
            world.guard.meter(code.encode(), world.zone, read)
    if slow:
        assert world.cpu - before < 100 * SHARE * 1.2
    else:
        assert {world.ask(code, 0.001) for _ in range(10)} == {""}
        each = reading + (0.0 if "waits" in code else float(code))
        assert world.cpu - before >= each * (asked - 1)


def test_slow_executions_in_a_row_are_no_hang(world: World) -> None:
    world.slot.beat(world.now)
    for number in range(60):
        world.zone = b"%d" % number
        assert world.ask(f"0.1!time {number}") == "time"
        assert world.now - world.slot.last_beat() < 0.001


ZONE = """\
www A 192.0.2.1
stuck LUA TXT ";while true do end"
stuck2 LUA TXT ";while true do local x end"
fine LUA A "'192.0.2.7'"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    # No limit ends these records.
    project = Project(tmp_path, f"{UNHURRIED}exec-limit = 0\n")
    project.build({"example.org": ZONE})
    # Nor does the watchdog, before the test itself kills the worker.
    with LiveServer(project, watchdog=PATIENCE) as running:
        yield running


def killed_while_at(server: LiveServer, name: str) -> None:
    """Kill the worker from outside while it runs a record."""
    pid = server.control("status")["workers"][0]["pid"]
    with udp_socket(server.port) as sock:
        sock.send(query_wire(name, "TXT"))
        busy = Path(f"/proc/{pid}/stat")
        before = int(busy.read_text().split()[13])
        server.wait_for(lambda: int(busy.read_text().split()[13]) > before + 20)
        os.kill(pid, signal.SIGKILL)

    def replaced() -> bool:
        now = server.control("status")["workers"][0]
        return bool(now["ready"]) and now["pid"] != pid

    server.wait_for(replaced)


def test_a_record_that_a_killed_worker_was_at_is_blamed_the_second_time_only(
    server: LiveServer,
) -> None:
    killed_while_at(server, "stuck.example.org")
    assert server.control("status")["quarantine"] == []
    killed_while_at(server, "stuck2.example.org")
    assert server.control("status")["quarantine"] == []
    killed_while_at(server, "stuck.example.org")
    assert [one["name"] for one in server.control("status")["quarantine"]] == ["stuck.example.org."]
    assert server.ask("stuck.example.org", "TXT").rcode() == dns.rcode.SERVFAIL
    assert server.answers("fine.example.org") == ["192.0.2.7"]


def test_what_nobody_reads_takes_no_room_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "lzc")
    now = 100.0
    monkeypatch.setattr("lzc.serve.worker.serving.time.monotonic", lambda: now)
    log = RecordLog()
    for _ in range(1000):
        log("debug", 7)
    for number in range(30):
        log(f"line {number}\n\x1b[2J\u202e", 4)
    assert [one.getMessage() for one in caplog.records] == [
        rf"LUA: line {number}\x0a\x1b[2J\u202e" for number in range(20)
    ]
    now = 101.0
    log("again", 3)
    assert [one.getMessage() for one in caplog.records][20:] == ["LUA: 10 more lines", "LUA: again"]
