"""Whatever a target answers, and however it cuts it into pieces, a check reads it once."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.health_check import Check
from lzc.serve.health.http_answer import PIECE, HttpAnswer, HttpVerdict
from lzc.serve.health.probes import Request, request_of

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSED = "the connection was closed within the body"


def read(answer: bytes, pieces: list[int], **options: object) -> HttpVerdict:
    """The verdict on an answer that comes in pieces of these sizes, over and over."""
    reader = HttpAnswer(Check("192.0.2.1", url="http://www.example.com/", **options))  # type: ignore[arg-type]
    place = turn = 0
    while place < len(answer):
        size = pieces[turn % len(pieces)]
        verdict = reader.feed(answer[place : place + size])
        if verdict is not None:
            return verdict
        place, turn = place + size, turn + 1
    verdict = reader.feed(b"")
    assert verdict is not None
    return verdict


ANSWERS = [
    (OK + b"Content-Length: 2\r\n\r\n42", {}, HttpVerdict("", 42)),
    (OK + b"Content-Length: 3\r\n\r\n42", {}, HttpVerdict(CLOSED)),
    (OK + b"\r\n 7 of 9", {}, HttpVerdict("", 7)),
    (OK + b"\r\nabcneedle", {"stringmatch": "needle"}, HttpVerdict("")),
    (OK + b"\r\nabcneedle", {"stringmatch": "needle", "byteslimit": 9}, HttpVerdict("")),
    (
        OK + b"\r\n" + b"x" * PIECE + b"needle",
        {"stringmatch": "needle", "byteslimit": 8},
        "no 'needle' in the body",
    ),
    (OK + b"Content-Length: 7\r\n\r\nneedle", {"stringmatch": "needle"}, HttpVerdict(CLOSED)),
    (CHUNKED + b"6\r\nneedle\r\n", {"stringmatch": "needle"}, HttpVerdict(CLOSED)),
    (OK + b"\r\nna\xc3\xafve", {"stringmatch": "na\xc3\xafve"}, HttpVerdict("")),
    (
        CHUNKED + b"3;a=b\r\nnee\r\n003\r\ndle\r\n0\r\n\r\n",
        {"stringmatch": "needle"},
        HttpVerdict(""),
    ),
    (CHUNKED + b"1\r\n4\r\n1\r\n2\r\n0\r\n\r\n", {}, HttpVerdict("", 42)),
    (CHUNKED + b"1\r\n4\r\n", {}, HttpVerdict(CLOSED)),
    (CHUNKED + b"x\r\n4\r\n", {}, "no HTTP answer"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK + b"\r\n5", {}, HttpVerdict("", 5)),
    (b"HTTP/1.1 103 Early Hints\r\n\r\n", {"httpcode": 103}, HttpVerdict("")),
    (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", {}, HttpVerdict("", elsewhere=True)),
    (
        b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
        {"httpcode": 302},
        HttpVerdict("", elsewhere=True),
    ),
    (b"HTTP/1.1 302 Found\r\n\r\n", {}, "HTTP status 302"),
    (OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", {}, HttpVerdict("")),
    (b"", {}, "the connection was closed"),
    (OK, {}, "no HTTP answer"),
    (b"SSH-2.0-OpenSSH\r\n", {}, "no HTTP answer"),
]


@pytest.mark.parametrize(("answer", "options", "expected"), ANSWERS)
@given(pieces=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_the_verdict_does_not_depend_on_the_pieces(
    answer: bytes, options: dict[str, object], expected: HttpVerdict | str, pieces: list[int]
) -> None:
    wanted = HttpVerdict(expected) if isinstance(expected, str) else expected
    assert read(answer, pieces, **options) == wanted


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_no_answer_is_too_odd(noise: bytes, pieces: list[int]) -> None:
    for start in (b"", OK, OK + b"\r\n", CHUNKED, CHUNKED + b"5\r\nhello\r\n"):
        assert read(start + noise, [len(start) or 1, *pieces]).weight >= 0


@pytest.mark.parametrize(
    "flood",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000,
        OK + b"X: " + b"y" * 300_000,
        OK + b"X: y\r\n" * 20_000,
        CHUNKED + b"1;" + b"x" * 300_000,
        CHUNKED + b"1\r\nx\r\n" * 60_000,
        CHUNKED + b"\r\n" * 150_000,
    ],
)
@pytest.mark.parametrize("piece", [1, 65536])
def test_what_only_keeps_us_busy_is_no_answer(flood: bytes, piece: int) -> None:
    assert read(flood, [piece]).problem == "no HTTP answer"


@pytest.mark.difference("D-29")
@pytest.mark.parametrize("chunk", [b"", b"4000\r\n" + b"z" * 0x4000 + b"\r\n"])
def test_a_large_body_is_looked_through_in_little_memory(chunk: bytes) -> None:
    check = Check("192.0.2.1", url="http://www.example.com/", stringmatch="needle")
    reader = HttpAnswer(check)
    assert reader.feed(CHUNKED if chunk else OK + b"\r\n") is None
    piece = chunk or b"z" * 0x4000
    tracemalloc.start()
    for _ in range(63):
        assert reader.feed(piece) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 0x4000
    assert reader.feed(piece) == HttpVerdict("no 'needle' in the body")


def test_a_request_names_the_host_and_is_left_to_others_where_it_is_odd() -> None:
    def request(url: str, address: str = "192.0.2.1") -> Request | None:
        return request_of(Check(address, url=url))

    plain, secure = request("http://a.example/x?y"), request("https://a.example:443/")
    assert plain is not None
    assert secure is not None
    assert (plain.port, plain.tls, plain.server_name) == (80, False, "a.example")
    assert plain.octets.startswith(b"GET /x?y HTTP/1.1\r\nHost: a.example\r\n")
    assert (secure.port, secure.tls, secure.server_name) == (443, True, "a.example")
    rooted = request("https://a.example./")
    assert rooted is not None
    assert rooted.server_name == "a.example"
    assert b"Host: a.example.\r\n" in rooted.octets
    never = request("http://a.example:0/")
    assert never is not None
    assert never.port == 0
    named = request("https://[2001:db8::1]:8443/")
    assert named is not None
    assert (named.port, named.server_name) == (8443, "")
    assert b"Host: [2001:db8::1]:8443\r\n" in named.octets
    odd = [
        "ftp://a.example/",
        "http://u@a.example/",
        "http://a.example/../x",
        "http://\xe9.example/",
    ]
    assert [request(one) for one in odd] == [None] * len(odd)
    assert request("http://a.example/", address="") is None
