"""Zone transfers: RFC 5936, RFC 1995, RFC 8945 §5.3.1, and who may have what."""

import base64
from ipaddress import ip_network
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rrset
import pytest

from lzc.answer.refusal import Reason
from lzc.answer.tls_client import TlsClient
from lzc.answer.transfer import TransferPlan, open_transfer
from lzc.answer.transfer_access import Grant, TransferAccess
from lzc.config import load
from lzc.faults import InputError
from lzc.wire.message import RR, parse_message
from lzc.wire.name import from_text
from lzc.wire.tsig import TsigKey, TsigStream, sign, verify_response
from tests.unit.answering import HEAD, NOW, World

KEY = TsigKey(from_text("transfer.example."), "hmac-sha256", b"0123456789abcdef0123456789abcdef")
OTHER = TsigKey(from_text("other.example."), "hmac-sha256", b"fedcba9876543210fedcba9876543210")
STRANGER = TsigKey(from_text("stranger.example."), "hmac-sha256", bytes(32))
KEYS = {key.name: key for key in (KEY, OTHER)}
HERE = bytes((127, 0, 0, 1))
NS2 = bytes((192, 0, 2, 2))
ELSEWHERE = bytes((203, 0, 113, 9))
ORG = from_text("example.org.")

ACCESS = TransferAccess(
    (
        Grant(KEY.name, (ip_network("192.0.2.2"),), ("*",), software="powerdns-5.1"),
        Grant(OTHER.name, (ip_network("192.0.2.3"),), ("*.net",), software="powerdns-5.1"),
    ),
    (ip_network("127.0.0.0/8"), ip_network("::1")),
)
OPEN = TransferAccess(
    (
        Grant(None, (ip_network("192.0.2.4"),), ("example.net",)),
        Grant(None, (ip_network("127.0.0.1"),), ("*",), software="powerdns-5.1"),
    ),
    (ip_network("127.0.0.0/8"),),
    False,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    many = "".join(f"h{number} 60 TXT {'x' * 200}\n" for number in range(1000))
    return World(
        tmp_path_factory.mktemp("bundle"),
        {
            "example.org.": HEAD + many + '\nlua 60 LUA A "192.0.2.9" "\'x\'"\n',
            "example.net.": HEAD,
        },
    )


def request(name: str = "eXample.org", qtype: str = "AXFR", serial: int | None = None) -> bytes:
    query = dns.message.make_query(name, qtype, use_edns=False)
    query.flags = dns.flags.Flag(0)
    if serial is not None:
        text = f"ns1. h. {serial} 1 1 1 1"
        query.authority.append(dns.rrset.from_text(f"{name}.", 0, "IN", "SOA", text))
    return query.to_wire()


def attempt(
    world: World,
    query: bytes,
    client: bytes = HERE,
    key: TsigKey | None = KEY,
    access: TransferAccess = ACCESS,
) -> TransferPlan | bytes | None:
    if key is not None:
        query, _ = sign(query, key, NOW)
    return open_transfer(world.bundle, access, KEYS, query, client, NOW)


def rcode_of(reply: TransferPlan | bytes | None) -> str:
    if isinstance(reply, TransferPlan):
        return "transfer"
    assert reply is not None
    return {1: "FORMERR", 5: "REFUSED", 9: "NOTAUTH"}[reply[3] & 15]


def unsigned(wire: bytes) -> bytes:
    """A message without its TSIG RR, the only additional one."""
    (signature,) = parse_message(wire).additional
    assert signature.rrtype == 250
    return wire[:10] + b"\0\0" + wire[12 : signature.offset]


def test_an_axfr_carries_the_whole_zone_in_signed_messages(world: World) -> None:
    query, mac = sign(request(), KEY, NOW)
    plan = open_transfer(world.bundle, ACCESS, KEYS, query, HERE, NOW)
    assert isinstance(plan, TransferPlan)
    assert (plan.apex, plan.serial) == (ORG, 2026010101)
    stream = TsigStream(KEY, mac)
    records: list[RR] = []
    messages = list(plan.messages())
    assert len(messages) > 1
    for framed in messages:
        wire = framed[2:]
        assert int.from_bytes(framed[:2], "big") == len(wire)
        message = parse_message(wire)
        assert stream.sign(unsigned(wire), NOW) == wire
        assert message.id == int.from_bytes(query[:2], "big")
        assert message.flags == 0x8400
        assert message.questions == ((from_text("eXample.org."), 252, 1),)
        records += message.answer
    assert records[0].rrtype == records[-1].rrtype == 6
    assert len(records) == 1000 + 3 + 1 + 1
    lua = next(record for record in records if record.rrtype == 65402)
    assert lua.rdata == b"\x00\x01\x09192.0.2.9\x03'x'"


def test_dnspython_understands_a_transfer(world: World) -> None:
    plan = attempt(world, request(), key=None, access=OPEN)
    assert isinstance(plan, TransferPlan)
    names: set[dns.name.Name] = set()
    for framed in plan.messages():
        message = dns.message.from_wire(framed[2:], xfr=True)
        names.update(rrset.name for rrset in message.answer)
    assert len(names) == 1003


def test_an_edns_query_gets_an_opt_in_the_first_message(world: World) -> None:
    query = dns.message.make_query("example.org", "AXFR", use_edns=0).to_wire()
    plan = attempt(world, query)
    assert isinstance(plan, TransferPlan)
    kinds = [
        [record.rrtype for record in parse_message(framed[2:]).additional]
        for framed in plan.messages()
    ]
    assert kinds[0] == [41, 250]
    assert kinds[1] == [250]


@pytest.mark.parametrize("serial", [2026010101, 2026010102, (2026010101 + 2**31 - 1) % 2**32])
def test_an_ixfr_of_an_up_to_date_client_gets_the_soa(world: World, serial: int) -> None:
    query, mac = sign(request("example.org", "IXFR", serial), KEY, NOW)
    reply = open_transfer(world.bundle, ACCESS, KEYS, query, HERE, NOW)
    assert isinstance(reply, bytes)
    assert verify_response(reply, KEY, mac, NOW).ok
    message = parse_message(reply)
    assert [record.rrtype for record in message.answer] == [6]
    assert message.flags & 0x0400


@pytest.mark.parametrize("serial", [1, 2026010100, (2026010101 + 2**31 + 1) % 2**32])
def test_an_ixfr_of_an_older_client_gets_the_zone(world: World, serial: int) -> None:
    plan = attempt(world, request("example.org", "IXFR", serial))
    assert isinstance(plan, TransferPlan)
    first = parse_message(next(plan.messages())[2:])
    assert first.questions[0][1] == 251
    assert first.answer[0].rrtype == 6


def test_an_ixfr_without_a_serial_is_a_format_error(world: World) -> None:
    assert rcode_of(attempt(world, request("example.org", "IXFR"))) == "FORMERR"


@pytest.mark.parametrize(
    ("client", "key", "zone", "expected"),
    [
        (HERE, KEY, "example.org", "transfer"),
        (NS2, KEY, "example.org", "transfer"),
        (NS2, KEY, "www.example.org", "NOTAUTH"),
        (NS2, KEY, "elsewhere.example", "NOTAUTH"),
        (ELSEWHERE, KEY, "example.org", "REFUSED"),
        (HERE, None, "example.org", "REFUSED"),
        (NS2, None, "example.org", "REFUSED"),
        (HERE, STRANGER, "example.org", "NOTAUTH"),
        (HERE, OTHER, "example.org", "REFUSED"),
        (HERE, OTHER, "example.net", "transfer"),
        (bytes((192, 0, 2, 3)), OTHER, "example.net", "transfer"),
        (NS2, OTHER, "example.net", "REFUSED"),
        (bytes(10) + b"\xff\xff" + NS2, KEY, "example.org", "transfer"),
        (bytes(15) + b"\x01", KEY, "example.org", "transfer"),
    ],
)
def test_a_zone_goes_to_who_has_the_key_and_the_place(
    world: World, client: bytes, key: TsigKey | None, zone: str, expected: str
) -> None:
    assert rcode_of(attempt(world, request(zone), client, key)) == expected


@pytest.mark.parametrize(
    ("client", "zone", "expected"),
    [
        (HERE, "example.org", "transfer"),
        (bytes((192, 0, 2, 4)), "example.net", "transfer"),
        (bytes((192, 0, 2, 4)), "example.org", "REFUSED"),
        (ELSEWHERE, "example.net", "REFUSED"),
    ],
)
def test_without_tsig_required_the_address_is_enough(
    world: World, client: bytes, zone: str, expected: str
) -> None:
    assert rcode_of(attempt(world, request(zone), client, None, OPEN)) == expected


def test_a_key_that_no_secondary_has_opens_zones_without_lua_from_the_general_networks(
    world: World,
) -> None:
    access = TransferAccess((), (ip_network("127.0.0.0/8"),))
    static = request("example.net")
    assert rcode_of(attempt(world, static, HERE, KEY, access)) == "transfer"
    assert rcode_of(attempt(world, static, NS2, KEY, access)) == "REFUSED"
    assert rcode_of(attempt(world, request(), HERE, KEY, access)) == "REFUSED"


def test_a_stale_signature_is_badtime(world: World) -> None:
    query, _ = sign(request(), KEY, NOW - 3600)
    reply = open_transfer(world.bundle, ACCESS, KEYS, query, HERE, NOW)
    assert rcode_of(reply) == "NOTAUTH"


def test_each_message_is_signed_at_its_own_time(world: World) -> None:
    times = iter((NOW, NOW + 1000, NOW + 2000, NOW + 3000, NOW + 4000, NOW + 5000))
    query, mac = sign(request(), KEY, NOW)
    plan = open_transfer(world.bundle, ACCESS, KEYS, query, HERE, NOW, lambda: next(times))
    assert isinstance(plan, TransferPlan)
    stream = TsigStream(KEY, mac)
    for framed, now in zip(plan.messages(), (NOW, NOW + 1000), strict=False):
        assert stream.sign(unsigned(framed[2:]), now) == framed[2:]


def test_what_is_no_transfer_request_gets_an_error(world: World) -> None:
    assert attempt(world, b"too short", key=None) is None
    assert rcode_of(attempt(world, request()[:-1], key=None)) == "FORMERR"
    chaos = dns.message.make_query("example.org", "AXFR", "CH", use_edns=False).to_wire()
    assert rcode_of(attempt(world, chaos)) == "REFUSED"


OWN_PIN, OTHER_PIN = bytes(range(32)), bytes(32)


@pytest.mark.parametrize(
    ("settings", "tls", "allowed", "reason"),
    [
        ("require-tls = true", None, False, Reason.CLEAR),
        ("require-tls = true", TlsClient(), True, None),
        ("PIN", None, False, Reason.CLEAR),
        ("PIN", TlsClient(), False, Reason.CERTIFICATE),
        ("PIN", TlsClient(OTHER_PIN), False, Reason.CERTIFICATE),
        ("PIN", TlsClient(OWN_PIN), True, None),
        ('tls-name = "Ns2.Example"', TlsClient(OWN_PIN), False, Reason.CERTIFICATE),
        (
            'tls-name = "Ns2.Example"',
            TlsClient(OWN_PIN, frozenset({"ns2.example"})),
            True,
            None,
        ),
        (
            'tls-name = "Ns2.Example"',
            TlsClient(OWN_PIN, frozenset({"ns3.example"})),
            False,
            Reason.CERTIFICATE,
        ),
    ],
)
@pytest.mark.parametrize("keyed", [False, True])
def test_tls_and_what_a_certificate_says_are_needed_beside_a_key_or_instead(
    tmp_path: Path,
    settings: str,
    tls: TlsClient | None,
    allowed: bool,
    reason: Reason | None,
    keyed: bool,
) -> None:
    pin = base64.b64encode(OWN_PIN).decode()
    settings = settings.replace("PIN", f'tls-pins = ["{pin}"]')
    file = tmp_path / "lzc.toml"
    file.write_text(
        f"""
[serve]
tls-listen = ["127.0.0.1:853"]
tls-certificate-file = "a"
tls-key-file = "b"
tls-client-ca-file = "c"
allow-transfer = ["0.0.0.0/0"]
[tsig."transfer.example."]
secret = "MDEyMw=="
[[secondary]]
name = "ns2"
address = "192.0.2.2:53"
{'tsig = "transfer.example."' if keyed else ""}
{settings}
"""
    )
    if not keyed and settings.startswith("require"):
        with pytest.raises(InputError, match="has no TSIG key"):  # TLS says nothing of who it is
            load(file)
        return
    access = TransferAccess.from_config(load(file))
    apex, key = from_text("example.org."), from_text("transfer.example.") if keyed else None
    assert access.allows(apex, NS2, key, tls) is allowed
    if reason is not None:
        assert access.why_not(apex, NS2, key, tls)[0] is reason
    # Without its key nobody has the zone, and with it no more from elsewhere.
    assert access.allows(apex, NS2, None if keyed else from_text("transfer.example."), tls) is (
        not keyed
    )
    if keyed:
        assert access.allows(apex, ELSEWHERE, key, tls) is allowed


def test_the_rules_come_from_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "lzc.toml"
    file.write_text(
        """
[serve]
allow-transfer = ["198.51.100.0/24"]
[tsig."Transfer.example"]
secret = "MDEyMw=="
[[secondary]]
name = "ns2"
address = "192.0.2.2:53"
tsig = "transfer.example."
zones = ["Example.ORG", "*.net"]
[[secondary]]
name = "ns3"
address = "192.0.2.3:53"
allow-from = ["2001:db8::/32"]
tsig = "transfer.example."
zones = ["example.com."]
"""
    )
    access = TransferAccess.from_config(load(file))
    key = from_text("transfer.example.")
    v6 = bytes.fromhex("20010db8") + bytes(12)
    allowed = [
        (zone, client)
        for zone in ("example.org.", "a.net.", "example.com.", "example.edu.")
        for client in (NS2, v6, bytes((198, 51, 100, 1)), ELSEWHERE)
        if access.allows(from_text(zone), client, key)
    ]
    assert allowed == [
        ("example.org.", NS2),
        ("example.org.", bytes((198, 51, 100, 1))),
        ("a.net.", NS2),
        ("a.net.", bytes((198, 51, 100, 1))),
        ("example.com.", v6),
        ("example.com.", bytes((198, 51, 100, 1))),
    ]


def with_keepalive(data: bytes, serial: int | None = None) -> bytes:
    query = dns.message.from_wire(request(qtype="AXFR" if serial is None else "IXFR"))
    query.use_edns(0, options=[dns.edns.GenericOption(dns.edns.OptionType.make(11), data)])
    if serial is not None:
        text = f"ns1. h. {serial} 1 1 1 1"
        query.authority.append(dns.rrset.from_text("example.org.", 0, "IN", "SOA", text))
    return query.to_wire()


def told(wire: bytes) -> list[bytes]:
    """What a message says of keepalive."""
    return [one.to_wire() or b"" for one in dns.message.from_wire(wire).options]


def test_the_first_message_says_how_long_the_connection_may_be_idle(world: World) -> None:
    """RFC 7828 §3.3.2."""
    plan = open_transfer(world.bundle, OPEN, KEYS, with_keepalive(b""), HERE, NOW, idle=2.5)
    assert isinstance(plan, TransferPlan)
    first, second, *_ = (framed[2:] for framed in plan.messages())
    assert told(first) == [b"\0\x19"]
    assert dns.message.from_wire(second).edns == -1
    plan.close()
    current = with_keepalive(b"", plan.serial)
    reply = open_transfer(world.bundle, OPEN, KEYS, current, HERE, NOW, idle=2.5)
    assert isinstance(reply, bytes)
    assert told(reply) == [b"\0\x19"]
    plain = open_transfer(world.bundle, OPEN, KEYS, request(), HERE, NOW)
    assert isinstance(plain, TransferPlan)
    assert dns.message.from_wire(next(plain.messages())[2:]).edns == -1
    plain.close()


def test_a_request_that_states_a_time_is_malformed(world: World) -> None:
    reply = open_transfer(world.bundle, OPEN, KEYS, with_keepalive(b"\0\x19"), HERE, NOW)
    assert isinstance(reply, bytes)
    assert (rcode_of(reply), told(reply)) == ("FORMERR", [])
