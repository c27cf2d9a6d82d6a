"""The process that makes metrics: it works while nothing else does, knows what is so now, and
whatever becomes of it, there are metrics."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lzc.health_check import Check
from lzc.serve.observe.exposition import OPENMETRICS, PLAIN, text
from lzc.serve.observe.totals import NOTHING_COUNTED
from lzc.serve.supervise.completing import Completion, Looked
from lzc.serve.supervise.observer import Wanted, compressed, gathered, pieces
from lzc.serve.supervise.seeing import FRESH
from tests.unit.serve.all_seen import all_seen
from tests.unit.serve.test_metrics import Served, served
from tests.unit.serve.test_new_settings import edit

READY = 'lzc_process_ready{process="observer"}'


def pid_of(made: Served) -> int:
    """Of the observer, which a scrape starts where there is none."""
    made.metrics.get()
    supervisor = made.server.control("status")["pid"]
    found = [
        int(one)
        for one in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        if os.sched_getscheduler(int(one)) == os.SCHED_IDLE
    ]
    return found[0] if found else 0


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, workers=2) as found:
        yield found


def test_there_is_none_before_somebody_asks_and_then_it_is_one_of_the_processes(
    made: Served,
) -> None:
    assert READY not in made.metrics.values()
    assert pid_of(made)
    found = made.wait_for(READY, 1)
    assert found['lzc_process_restarts_total{process="observer"}'] == 0
    assert found['lzc_process_resident_memory_bytes{process="observer"}'] > 0


def test_what_changes_is_seen_by_the_one_that_runs(made: Served) -> None:
    first = pid_of(made)
    made.server.ask("bad.example.org")
    made.wait_for("lzc_lua_executions_total", 1)
    checks = [Check("127.0.0.1", made.target.getsockname()[1])]
    made.project.build(
        {"example.org.": made.zone}, serial=7, signed=["example.org."], checks=checks
    )
    assert made.server.control("reload")["ok"]
    made.wait_for('lzc_zone_serial{zone="example.org."}', 7)
    made.wait_for('lzc_health_checks{state="up"}', 1)
    assert pid_of(made) == first


def test_workers_that_come_are_counted(made: Served) -> None:
    pid_of(made)
    assert edit(made.server, "[serve]\n", "[serve]\nworkers = 3\n")
    for number in range(40):
        made.server.ask(f"n{number}.example.org")

    def all_counted() -> bool:
        found = made.metrics.values()
        ours = 'lzc_queries_total{family="4",transport="udp",type="A"}'
        return found[ours] == 40 and READY in found

    made.server.wait_for(all_counted)


def test_one_that_is_killed_is_told_and_replaced(made: Served) -> None:
    first = pid_of(made)
    os.kill(first, signal.SIGKILL)
    made.server.wait_for(lambda: pid_of(made) not in (0, first))
    assert made.server.logged("the observer, which makes metrics, died (SIGKILL)")
    made.wait_for('lzc_process_restarts_total{process="observer"}', 1)


def test_while_it_has_no_turn_there_are_metrics(made: Served) -> None:
    """As where answers take all of its core."""
    first = pid_of(made)
    os.kill(first, signal.SIGSTOP)
    made.server.ask("bad.example.org")
    made.wait_for("lzc_lua_executions_total", 1)
    made.server.ask("bad.example.org")
    made.wait_for("lzc_lua_executions_total", 2)
    os.kill(first, signal.SIGCONT)
    made.server.wait_for(lambda: pid_of(made) == first)
    made.server.ask("bad.example.org")
    made.wait_for("lzc_lua_executions_total", 3)


def test_who_goes_away_before_it_has_a_turn_fills_no_log(made: Served) -> None:
    first = pid_of(made)
    time.sleep(FRESH)
    os.kill(first, signal.SIGSTOP)
    with socket.create_connection(("127.0.0.1", made.metrics.port)) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        time.sleep(FRESH / 2)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert made.metrics.values()
    os.kill(first, signal.SIGCONT)
    assert not made.server.logged("answering a request over HTTP")


def test_it_keeps_no_address_and_no_client(made: Served) -> None:
    pid = pid_of(made)
    listening = {
        line.split()[9]
        for table in ("tcp", "udp")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    }
    held = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
    assert not [one for one in held if one.removeprefix("socket:[").removesuffix("]") in listening]


def in_memory(pid: int) -> int:
    """How many files of metrics in memory a process has open."""
    found = 0
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += "memfd:metrics" in os.readlink(one)
    return found


def test_what_it_made_is_not_copied_and_no_other_process_keeps_it(made: Served) -> None:
    """Who answers on the same core waits for what the supervisor does."""
    observer = pid_of(made)
    supervisor = made.server.control("status")["pid"]
    for content_type in (PLAIN, OPENMETRICS):
        made.metrics.get(Accept=content_type)
    assert in_memory(supervisor)
    os.kill(made.server.control("status")["workers"][1]["pid"], signal.SIGKILL)

    def workers() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = made.server.control("status")["workers"]
        return found

    made.server.wait_for(lambda: workers()[1]["restarts"] == 1 and workers()[1]["ready"])
    assert [in_memory(pid) for pid in (observer, *(one["pid"] for one in workers()))] == [0, 0, 0]
    time.sleep(FRESH)
    made.metrics.get()
    assert in_memory(supervisor) == 1


def test_it_ends_with_its_server(made: Served) -> None:
    pid = pid_of(made)
    assert made.server.stop() == 0
    assert not Path(f"/proc/{pid}").exists()


def looked() -> tuple[Looked, Completion]:
    seen = all_seen(0, zones=3, checks=200)
    return Looked(seen, [[] for _ in seen.secondaries], Path()), _Known(
        (), lambda _: iter(()), Path()
    )


class _Known(Completion):
    """Has all of it already."""

    def complete(self, looked: Looked, give_way: object) -> object:  # type: ignore[override]
        return looked.seen


@pytest.mark.parametrize("content_type", [PLAIN, OPENMETRICS])
def test_what_it_makes_is_what_there_is_compressed_or_not(content_type: str) -> None:
    seen, completion = looked()
    paused: list[None] = []
    # Under PowerDNS's names are counters of the machine, which others make rise meanwhile.
    whole, packed, besides = (
        b"".join(pieces(wanted, seen, completion, lambda: paused.append(None)))
        for wanted in (
            Wanted(content_type, powerdns=False, compressed=False),
            Wanted(content_type, powerdns=False, compressed=True),
            Wanted(content_type, powerdns=True, compressed=False),
        )
    )
    assert whole == text(seen.seen, content_type)
    assert b"\npdns_auth_" in besides
    assert zlib.decompress(packed, 16 + zlib.MAX_WBITS) == whole
    assert len(packed) < len(whole) / 4
    assert paused


def test_pieces_are_few_and_none_is_empty() -> None:
    made = [b"", b"a" * 40_000, b"", b"b" * 40_000, b"c", b""]
    found = [*gathered(made)]
    assert [len(one) for one in found] == [80_000, 1]
    assert b"".join(found) == b"".join(made)
    assert [*gathered([])] == []
    assert zlib.decompress(b"".join(compressed(made)), 16 + zlib.MAX_WBITS) == b"".join(made)


def test_nothing_is_counted_before_somebody_looked() -> None:
    assert not any(getattr(NOTHING_COUNTED, name) for name in NOTHING_COUNTED.__slots__)
