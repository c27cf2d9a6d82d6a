"""TSIG over many messages, against dnspython in both directions (RFC 8945 §5.3.1)."""

import time

import dns.message
import dns.name
import dns.tsig
import pytest

from lzc.wire import name, tsig
from lzc.wire.tsig import TsigKey
from lzc.wire.tsig_stream import TsigStream, TsigStreamVerifier

NAME = name.from_text("transfer.example.")
KEY = TsigKey(NAME, "hmac-sha256", b"0123456789abcdef0123456789abcdef")
THEIRS = dns.tsig.Key("transfer.example.", KEY.secret, "hmac-sha256")
NOW = 1795000000
REQUEST_MAC = b"m" * 32
MESSAGES = [
    b"\x12\x34\x84\x00\x00\x01\0\x01\0\0\0\0\x07example\x03org\x00\x00\xfc\x00\x01"
    b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + bytes((192, 0, 2, last))
    for last in range(120)
]


def test_dnspython_takes_our_stream() -> None:
    stream = TsigStream(KEY, REQUEST_MAC)
    context = None
    for msg in MESSAGES[:5]:
        signed = stream.sign(msg, time.time())
        assert len(signed) - len(msg) <= stream.room
        read = dns.message.from_wire(
            signed,
            keyring=THEIRS,
            request_mac=REQUEST_MAC,
            multi=True,
            tsig_ctx=context,
            xfr=True,
        )
        assert read.had_tsig
        context = read.tsig_ctx


def test_we_take_the_stream_of_dnspython() -> None:
    asked = dns.message.make_query("example.org.", "AXFR")
    asked.use_tsig(THEIRS)
    asked.to_wire()
    assert asked.mac
    verifier = TsigStreamVerifier(KEY, asked.mac)
    context = None
    for _ in range(5):
        answer = dns.message.make_response(asked)
        signed = answer.to_wire(multi=True, tsig_ctx=context)
        context = answer.tsig_ctx
        assert verifier.verify(signed, time.time()).ok
        assert verifier.settled


def test_the_first_message_is_signed_as_a_single_answer_is() -> None:
    single, _ = tsig.sign(MESSAGES[0], KEY, NOW, REQUEST_MAC)
    assert TsigStream(KEY, REQUEST_MAC).sign(MESSAGES[0], NOW) == single


def test_a_lost_message_breaks_the_chain() -> None:
    stream = TsigStream(KEY, REQUEST_MAC)
    first, _, third = (stream.sign(msg, NOW) for msg in MESSAGES[:3])
    verifier = TsigStreamVerifier(KEY, REQUEST_MAC)
    assert verifier.verify(first, NOW).ok
    assert verifier.verify(third, NOW).error == tsig.BADSIG


def test_messages_without_tsig_count_until_the_next_one_with_it() -> None:
    verifier = TsigStreamVerifier(KEY, REQUEST_MAC)
    stream = TsigStream(KEY, REQUEST_MAC)
    assert verifier.verify(stream.sign(MESSAGES[0], NOW), NOW).ok
    for msg in MESSAGES[1:100]:
        assert verifier.verify(msg, NOW).ok
        assert not verifier.settled
    assert verifier.verify(MESSAGES[100], NOW).error == tsig.BADSIG


def test_the_mac_covers_the_messages_without_tsig() -> None:
    def signer_of(skipped: bytes) -> bytes:
        stream = TsigStream(KEY, REQUEST_MAC)
        stream.sign(MESSAGES[0], NOW)
        stream._chain.add(skipped)
        return stream.sign(MESSAGES[2], NOW)

    first = TsigStream(KEY, REQUEST_MAC).sign(MESSAGES[0], NOW)
    for skipped, error in ((MESSAGES[1], 0), (MESSAGES[3], tsig.BADSIG)):
        verifier = TsigStreamVerifier(KEY, REQUEST_MAC)
        verifier.verify(first, NOW)
        verifier.verify(MESSAGES[1], NOW)
        assert verifier.verify(signer_of(skipped), NOW).error == error


def test_the_first_message_must_have_tsig() -> None:
    verifier = TsigStreamVerifier(KEY, REQUEST_MAC)
    assert verifier.verify(MESSAGES[0], NOW).error == tsig.BADSIG


@pytest.mark.parametrize(
    ("msg", "error"),
    [
        (MESSAGES[0][:-1], 1),
        (tsig.sign(MESSAGES[0], KEY, NOW, b"other")[0], tsig.BADSIG),
        (TsigStream(KEY, REQUEST_MAC).sign(MESSAGES[0], NOW - 301), tsig.BADTIME),
        (
            TsigStream(TsigKey(b"\x01x\x00", "hmac-sha256", b"k"), REQUEST_MAC).sign(
                MESSAGES[0], NOW
            ),
            tsig.BADKEY,
        ),
    ],
)
def test_each_fault_has_its_error(msg: bytes, error: int) -> None:
    assert TsigStreamVerifier(KEY, REQUEST_MAC).verify(msg, NOW).error == error
