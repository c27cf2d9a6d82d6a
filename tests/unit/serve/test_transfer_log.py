"""Lines of the log about transfers, which are written after them."""

from __future__ import annotations

import logging

import pytest

from lzc.serve.observe import transfer_log
from lzc.serve.observe.log_format import fields_of
from lzc.serve.observe.transfer_log import TransferLog
from lzc.wire.name import from_text

ZONE = from_text("example.org.")
KEY = from_text("k.example.")
HERE = bytes((192, 0, 2, 1))


class Clock:
    now = 1_800_000_000.25

    def __call__(self) -> float:
        self.now += 1
        return self.now


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records]


def test_a_line_has_the_time_at_which_its_transfer_began(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = TransferLog(Clock())
    log.note(ZONE, 7, HERE, KEY, "IXFR", "tcp")
    log.note(ZONE, 7, HERE, b"", "AXFR", "tls")
    assert not caplog.records
    log.write()
    log.write()
    assert lines(caplog) == [
        "transfer: example.org. serial 7 to 192.0.2.1, IXFR",
        "transfer: example.org. serial 7 to 192.0.2.1 over TLS, AXFR",
    ]
    first, second = caplog.records
    assert (first.created, second.created) == (1_800_000_001.25, 1_800_000_002.25)
    assert (first.msecs, first.levelno) == (250, logging.INFO)
    shared = {"zone": "example.org.", "serial": 7}
    told = {name: str(value) for name, value in fields_of(first).items()}
    assert told == {
        **{name: str(value) for name, value in shared.items()},
        "peer": "192.0.2.1",
        "key": "k.example.",
        "kind": "IXFR",
        "transport": "tcp",
    }
    assert fields_of(second)["transport"] == "tls" and "key" not in fields_of(second)


def test_the_same_again_and_again_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = TransferLog(Clock())
    for serial in (7, 7, 8, 7):
        log.note(ZONE, serial, HERE, KEY, "IXFR", "tcp")
    log.write()
    assert lines(caplog) == [
        "transfer: example.org. serial 7 to 192.0.2.1, IXFR, 3 times",
        "transfer: example.org. serial 8 to 192.0.2.1, IXFR",
    ]
    assert fields_of(caplog.records[0])["times"] == 3


def test_no_more_lines_wait_than_are_good(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = TransferLog(Clock())
    for serial in range(transfer_log.MOST):
        log.note(ZONE, serial, HERE, KEY, "IXFR", "tcp")
    assert len(caplog.records) == transfer_log.MOST
