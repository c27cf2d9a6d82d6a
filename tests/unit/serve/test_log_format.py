"""A line of the log: as text and as JSON."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from datetime import datetime

import pytest

from lzc.serve.observe.log_format import about, formatter, time_of
from lzc.serve.observe.log_lines import ErrorLog

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


def line(log_format: str, message: str, /, **fields: object) -> str:
    record = logging.LogRecord("lzc", logging.WARNING, "", 0, message, None, None)
    record.__dict__.update(about(**fields))
    return formatter(log_format).format(record)


def test_text_is_time_with_zone_level_message_and_what_it_is_about() -> None:
    text = line("text", "refused: it", zone="a.example.", serial=7, key=None, reason="", ok=True)
    assert re.fullmatch(rf"{TIME} WARNING refused: it zone=a\.example\. serial=7 ok=true", text)
    assert datetime.fromisoformat(text.split(" ")[0]).tzinfo is not None


@pytest.mark.parametrize("seconds", [0.0, 1_800_000_000.0, 1_800_000_000.9996, 1_800_000_000.001])
def test_a_time_is_cut_to_milliseconds_and_names_the_same_moment(seconds: float) -> None:
    text = time_of(seconds)
    assert re.fullmatch(TIME, text)
    assert 0 <= seconds - datetime.fromisoformat(text).timestamp() < 0.001 + 1e-6


def test_values_with_blanks_or_quotes_stand_in_quotes() -> None:
    text = line("text", "m", one='a "b"', two="a=b", three="a\\b", four="c d")
    assert text.endswith(r' one="a \"b\"" two="a=b" three=a\b four="c d"')


def test_json_has_the_same_with_numbers_as_numbers() -> None:
    found = json.loads(line("json", "refused: it", zone="a.example.", serial=7, key=None, ok=True))
    assert re.fullmatch(TIME, found.pop("time"))
    assert isinstance(found.pop("pid"), int)
    assert found == {
        "level": "warning",
        "process": "supervisor",
        "message": "refused: it",
        "zone": "a.example.",
        "serial": 7,
        "ok": True,
    }


def test_no_field_takes_the_place_of_what_every_line_has() -> None:
    found = json.loads(line("json", "m", level="forged", message="forged", time="forged"))
    assert (found["level"], found["message"]) == ("warning", "m")
    assert found["time"] != "forged"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_foreign_text_ends_no_line_and_reaches_no_terminal(log_format: str) -> None:
    text = line(log_format, "m", zone="a\nFORGED\x1b[2J\u202e\udc80.", octets=b"\0\xff\n")
    assert text.isprintable()
    if log_format == "json":
        assert json.loads(text)["zone"] == "a\nFORGED\x1b[2J\u202e\udc80."


def test_a_long_value_is_cut() -> None:
    assert len(line("json", "m", zone="a" * 100_000)) < 2000
    assert len(line("text", "m", zone="a" * 100_000)) < 2000


def test_an_exception_is_in_its_line() -> None:
    try:
        raise ValueError("no\nsuch")
    except ValueError:
        record = logging.LogRecord("lzc", logging.ERROR, "", 0, "m", None, sys.exc_info())
    text = formatter("text").format(record)
    found = json.loads(formatter("json").format(record))
    assert "\n" not in text
    assert "ValueError: no" in text
    assert "ValueError: no" in found["trace"]
    assert found["message"] == "m"


def test_errors_that_were_held_back_are_told_though_nothing_more_comes() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter("json"))
    logging.getLogger("lzc").addHandler(handler)
    try:
        errors = ErrorLog()
        for _ in range(5):
            try:
                raise OSError("again")
            except OSError as error:
                errors.note("testing", error)
        errors.look(0.0)
        assert stream.getvalue().count("\n") == 1
        errors.look(float("inf"))
    finally:
        logging.getLogger("lzc").removeHandler(handler)
    first, more = map(json.loads, stream.getvalue().splitlines())
    assert (first["doing"], first["error"]) == ("testing", "OSError")
    assert more["more"] == 4
