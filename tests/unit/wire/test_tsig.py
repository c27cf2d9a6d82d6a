"""TSIG against dnspython in both directions, and each error of RFC 8945 §5."""

import time
from collections.abc import Mapping
from dataclasses import replace

import dns.message
import dns.name
import dns.tsig
import pytest

from lzc.wire import message, name, tsig
from lzc.wire.message import FormatError, parse_query
from lzc.wire.tsig import TsigKey, TsigResult, TsigStream
from lzc.wire.tsig_algorithms import ALGORITHMS

NAME = name.from_text("transfer.example.")
KEY = TsigKey(NAME, "hmac-sha256", b"0123456789abcdef0123456789abcdef")
KEYS = {NAME: KEY}
NOW = 1795000000
QUERY = b"\x12\x34\x00\x00\x00\x01\0\0\0\0\0\0\x07example\x03org\x00\x00\x06\x00\x01"
ANSWER = b"\x12\x34\x84\x00\x00\x01\0\0\0\0\0\0\x07example\x03org\x00\x00\x06\x00\x01"


def verified(wire: bytes, keys: Mapping[bytes, TsigKey] = KEYS, now: float = NOW) -> TsigResult:
    return tsig.verify_request(parse_query(wire), keys, now)


def their_key(key: TsigKey) -> dns.tsig.Key:
    algorithm = dns.name.from_wire(tsig.algorithm_name(key.algorithm), 0)[0]
    return dns.tsig.Key(dns.name.from_wire(key.name, 0)[0], key.secret, algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_requests_of_dnspython_are_authentic(algorithm: str) -> None:
    key = replace(KEY, algorithm=algorithm)
    asked = dns.message.make_query("example.org.", "SOA")
    asked.use_tsig(their_key(key))
    wire = asked.to_wire()
    result = verified(wire, {NAME: key}, time.time())
    assert result.ok
    assert (result.key, result.mac) == (key, asked.mac)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dnspython_takes_our_answers(algorithm: str) -> None:
    key = replace(KEY, algorithm=algorithm)
    asked = dns.message.make_query("example.org.", "SOA")
    asked.use_tsig(their_key(key))
    result = verified(asked.to_wire(), {NAME: key}, time.time())
    reply = asked.id.to_bytes(2, "big") + ANSWER[2:]
    signed = tsig.sign_response(reply, result, time.time())
    assert len(signed) - len(reply) <= result.room
    read = dns.message.from_wire(signed, keyring=their_key(key), request_mac=asked.mac)
    assert read.had_tsig


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_our_requests_and_the_answers_of_dnspython(algorithm: str) -> None:
    key = replace(KEY, algorithm=algorithm)
    wire, mac = tsig.sign(QUERY, key, time.time())
    asked = dns.message.from_wire(wire, keyring=their_key(key))
    assert asked.mac == mac
    answer = dns.message.make_response(asked)
    assert tsig.verify_response(answer.to_wire(), key, mac, time.time()).ok
    assert tsig.verify_response(answer.to_wire(), key, b"x" * 32, time.time()).error == tsig.BADSIG


def test_a_request_with_a_changed_id_keeps_its_original_id() -> None:
    wire, _ = tsig.sign(QUERY, KEY, NOW)
    assert verified(b"\xff\xff" + wire[2:]).ok


def test_names_of_keys_are_compared_without_case() -> None:
    wire, _ = tsig.sign(QUERY, KEY, NOW)
    shouted = wire.replace(NAME, NAME.upper())
    assert verified(shouted).ok


def test_a_request_without_tsig_is_left_as_it_is() -> None:
    result = verified(QUERY)
    assert result.ok
    assert (result.key_name, result.mac, result.room) == (None, b"", 0)
    assert tsig.sign_response(ANSWER, result, NOW) == ANSWER


@pytest.mark.parametrize("position", range(2, len(QUERY)))
def test_a_changed_octet_is_never_authentic(position: int) -> None:
    wire = bytearray(tsig.sign(QUERY, KEY, NOW)[0])
    wire[position] ^= 1
    try:
        result = verified(bytes(wire))
    except FormatError:
        return
    assert result.key is None or not result.ok


def test_an_unknown_key_gets_badkey_without_a_mac() -> None:
    wire, _ = tsig.sign(QUERY, KEY, NOW)
    result = verified(wire, {})
    assert (result.error, result.rcode) == (tsig.BADKEY, message.NOTAUTH)
    reply = tsig.sign_response(ANSWER, result, NOW)
    rr = tsig.read(reply, len(ANSWER))
    assert (rr.name, rr.error, rr.mac) == (NAME, tsig.BADKEY, b"")
    assert tsig.verify_response(reply, KEY, result.mac, NOW).error == tsig.BADKEY


def test_another_algorithm_is_another_key() -> None:
    wire, _ = tsig.sign(QUERY, replace(KEY, algorithm="hmac-sha1"), NOW)
    assert verified(wire).error == tsig.BADKEY


def test_a_wrong_secret_gets_badsig_without_a_mac() -> None:
    wire, mac = tsig.sign(QUERY, replace(KEY, secret=b"wrong"), NOW)
    result = verified(wire)
    assert (result.error, result.rcode) == (tsig.BADSIG, message.NOTAUTH)
    reply = tsig.sign_response(ANSWER, result, NOW)
    assert tsig.read(reply, len(ANSWER)).mac == b""
    assert tsig.verify_response(reply, KEY, mac, NOW).error == tsig.BADSIG


@pytest.mark.parametrize(("drift", "error"), [(-301, 18), (-300, 0), (300, 0), (301, 18)])
def test_clocks_may_differ_by_the_fudge(drift: int, error: int) -> None:
    wire, _ = tsig.sign(QUERY, KEY, NOW)
    assert verified(wire, now=NOW + drift).error == error


def test_badtime_is_signed_at_the_clients_time_and_tells_ours() -> None:
    wire, mac = tsig.sign(QUERY, KEY, NOW)
    result = verified(wire, now=NOW + 4000)
    reply = tsig.sign_response(ANSWER, result, NOW + 4000)
    rr = tsig.read(reply, len(ANSWER))
    assert (rr.time_signed, rr.other) == (NOW, (NOW + 4000).to_bytes(6, "big"))
    assert len(reply) - len(ANSWER) <= result.room
    assert tsig.verify_response(reply, KEY, mac, NOW).error == tsig.BADTIME
    with pytest.raises(dns.tsig.PeerBadTime):
        dns.message.from_wire(reply, keyring=their_key(KEY), request_mac=mac)


def truncated(size: int) -> bytes:
    whole, mac = tsig.sign(QUERY, KEY, NOW)
    rr = tsig.read(whole, len(QUERY))
    return tsig.append(QUERY, rr._replace(mac=(mac + mac)[:size]))


@pytest.mark.parametrize(
    ("size", "error"),
    [(0, 1), (9, 1), (15, 1), (16, tsig.BADTRUNC), (31, tsig.BADTRUNC), (32, 0), (33, 1)],
)
def test_truncated_macs_are_malformed_or_against_policy(size: int, error: int) -> None:
    assert verified(truncated(size)).error == error


def test_badtrunc_is_signed() -> None:
    result = verified(truncated(16))
    reply = tsig.sign_response(ANSWER, result, NOW)
    assert tsig.verify_response(reply, KEY, result.mac, NOW).error == tsig.BADTRUNC


SIGNED = tsig.sign(QUERY, KEY, NOW)[0]
MALFORMED = [
    SIGNED.replace(b"\x00\xfa\x00\xff", b"\x00\xfa\x00\x01"),
    SIGNED.replace(b"\x00\xff\x00\x00\x00\x00", b"\x00\xff\x00\x00\x00\x01"),
    SIGNED.replace(b"\x01\x2c\x00\x20", b"\x01\x2c\x00\x21"),
    SIGNED[:-1] + b"\x01",
]


@pytest.mark.parametrize("wire", MALFORMED)
def test_malformed_tsig_gets_formerr_without_tsig(wire: bytes) -> None:
    result = verified(wire)
    assert (result.error, result.rcode) == (message.FORMERR, message.FORMERR)
    assert tsig.sign_response(ANSWER, result, NOW) == ANSWER


@pytest.mark.parametrize("wire", [QUERY, b"", SIGNED[:-1], SIGNED + b"\x00", *MALFORMED])
def test_an_answer_without_sound_tsig_is_malformed(wire: bytes) -> None:
    result = tsig.verify_response(wire, KEY, b"", NOW)
    assert (result.error, result.rr) == (message.FORMERR, None)


def test_a_secret_does_not_show_in_logs() -> None:
    assert "0123456789abcdef" not in repr(KEY)


MESSAGES = [
    b"\x12\x34\x84\x00\x00\x01\0\x01\0\0\0\0\x07example\x03org\x00\x00\xfc\x00\x01"
    b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + bytes((192, 0, 2, last))
    for last in range(5)
]
REQUEST_MAC = b"m" * 32


def read_stream(messages: list[bytes], key: TsigKey = KEY) -> int:
    """How many messages of an answer dnspython takes."""
    context = None
    for count, wire in enumerate(messages):
        try:
            read = dns.message.from_wire(
                wire,
                keyring=their_key(key),
                request_mac=REQUEST_MAC,
                multi=True,
                tsig_ctx=context,
                xfr=True,
            )
        except dns.tsig.BadSignature:
            return count
        assert read.had_tsig
        context = read.tsig_ctx
    return len(messages)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dnspython_takes_our_stream(algorithm: str) -> None:
    key = replace(KEY, algorithm=algorithm)
    stream = TsigStream(key, REQUEST_MAC)
    assert read_stream([stream.sign(msg, time.time()) for msg in MESSAGES], key) == 5


def test_the_first_message_of_a_stream_is_signed_as_a_single_answer_is() -> None:
    single, _ = tsig.sign(MESSAGES[0], KEY, NOW, REQUEST_MAC)
    assert TsigStream(KEY, REQUEST_MAC).sign(MESSAGES[0], NOW) == single


def test_a_lost_message_breaks_the_chain() -> None:
    stream = TsigStream(KEY, REQUEST_MAC)
    first, _, *others = (stream.sign(msg, time.time()) for msg in MESSAGES)
    assert read_stream([first, *others]) == 1
