"""The OPT RR and its options (RFC 6891, RFC 7871, RFC 7873, RFC 5001)."""

import dns.edns
import dns.message
import pytest

from lzc.wire import edns
from lzc.wire.edns import ClientSubnet, InvalidOpt


def parsed(options: bytes, *, size: int = 1232, version: int = 0) -> edns.Edns:
    fixed = size.to_bytes(2, "big") + bytes((0, version)) + b"\x80\x00"
    return edns.parse(fixed + len(options).to_bytes(2, "big"), options)


def subnet(data: bytes) -> ClientSubnet | None:
    return parsed(edns.option(edns.CLIENT_SUBNET, data)).client_subnet


def test_size_version_and_do_bit() -> None:
    opt = edns.plain(b"\x10\x00\x00\x01\x80\x00\x00\x00")
    assert (opt.udp_size, opt.version, opt.dnssec_ok) == (4096, 1, True)


def test_sizes_below_512_count_as_512() -> None:
    assert parsed(b"", size=0).udp_size == 512


def test_options_are_kept_in_order_with_unknown_ones() -> None:
    options = edns.option(65001, b"x") + edns.option(edns.NSID, b"") + edns.option(65001, b"")
    opt = parsed(options)
    assert opt.options == ((65001, b"x"), (edns.NSID, b""), (65001, b""))
    assert opt.nsid


def test_options_of_a_later_version_are_not_looked_into() -> None:
    opt = parsed(b"\x00", version=1)
    assert (opt.version, opt.options) == (1, ())


@pytest.mark.parametrize("options", [b"\x00", b"\x00\x03\x00", b"\x00\x03\x00\x01", b"\0\3\0\0\0"])
def test_options_that_run_out_are_malformed(options: bytes) -> None:
    with pytest.raises(InvalidOpt):
        parsed(options)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\0\1\x18\0\xc0\0\2", ClientSubnet(1, 24, 0, b"\xc0\0\2\0")),
        (b"\0\1\x17\0\xc0\0\2", ClientSubnet(1, 23, 0, b"\xc0\0\2\0")),
        (b"\0\1\x20\0\xc0\0\2\1", ClientSubnet(1, 32, 0, b"\xc0\0\2\1")),
        (b"\0\1\0\0", ClientSubnet(1, 0, 0, bytes(4))),
        (b"\0\2\x20\0\x20\1\x0d\xb8", ClientSubnet(2, 32, 0, b"\x20\1\x0d\xb8" + bytes(12))),
        (b"\0\0\0\0", ClientSubnet(0, 0, 0, b"")),
    ],
)
def test_client_subnets_are_read(data: bytes, expected: ClientSubnet) -> None:
    assert subnet(data) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\1\x18", "less than 4"),
        (b"\0\3\0\0", "unknown family 3"),
        (b"\0\0\x08\0\xc0", "unknown family 0"),
        (b"\0\1\x21\0\xc0\0\2\1\0", "over 32"),
        (b"\0\2\x81\0" + bytes(17), "over 128"),
        (b"\0\1\x18\0\xc0\0", "do not match"),
        (b"\0\1\x18\0\xc0\0\2\0", "do not match"),
        (b"\0\1\x17\0\xc0\0\3", "beyond its prefix"),
        (b"\0\1\x18\x18\xc0\0\2", "scope"),
    ],
)
def test_malformed_client_subnets_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidOpt, match=reason):
        subnet(data)


@pytest.mark.parametrize("size", [8, 16, 24, 40])
def test_cookies_of_allowed_sizes_are_read(size: int) -> None:
    assert parsed(edns.option(edns.COOKIE, bytes(size))).cookie == bytes(size)


@pytest.mark.parametrize("size", [0, 7, 9, 15, 41])
def test_cookies_of_other_sizes_are_malformed(size: int) -> None:
    with pytest.raises(InvalidOpt, match="COOKIE"):
        parsed(edns.option(edns.COOKIE, bytes(size)))


def test_only_the_first_cookie_counts() -> None:
    two = edns.option(edns.COOKIE, b"firstone") + edns.option(edns.COOKIE, b"another!")
    assert parsed(two).cookie == b"firstone"


def test_what_is_built_reads_back_in_dnspython() -> None:
    answered = ClientSubnet(1, 24, 0, b"\xc0\0\2\0").to_option(20)
    opt = edns.build(
        1400,
        flags=edns.DO,
        extended_rcode=1,
        options=[edns.option(edns.NSID, b"ns1"), answered],
    )
    message = dns.message.from_wire(bytes(11) + b"\x01" + opt)
    assert message.payload == 1400
    assert message.rcode() == 16
    assert message.ednsflags & edns.DO
    nsid, ecs = message.options
    assert nsid.to_wire() == b"ns1"
    assert isinstance(ecs, dns.edns.ECSOption)
    assert (ecs.address, ecs.srclen, ecs.scopelen) == ("192.0.2.0", 24, 20)


def test_the_co_bit_is_the_one_behind_do() -> None:
    """RFC 9824 §5.1."""
    for flags, dnssec_ok, compact_ok in (
        (0x4000, False, True),
        (0xC000, True, True),
        (0x8000, True, False),
    ):
        found = edns.plain(b"\4\xd0\0\0" + flags.to_bytes(2, "big") + b"\0\0")
        assert (found.dnssec_ok, found.compact_ok) == (dnssec_ok, compact_ok)
    message = dns.message.from_wire(bytes(10) + b"\0\1" + edns.build(1232, flags=edns.CO))
    assert message.ednsflags == 0x4000


def test_the_first_keepalive_counts_and_what_it_holds_is_kept() -> None:
    assert parsed(b"").keepalive is None
    assert parsed(edns.option(edns.TCP_KEEPALIVE, b"")).keepalive == b""
    two = edns.option(edns.TCP_KEEPALIVE, b"\0\1") + edns.option(edns.TCP_KEEPALIVE, b"")
    assert parsed(two).keepalive == b"\0\1"


@pytest.mark.parametrize(
    ("seconds", "tenths"), [(10.0, 100), (0.05, 0), (2.5, 25), (6553.5, 65535), (1e9, 65535)]
)
def test_the_time_of_a_keepalive_is_in_tenths_of_a_second_and_has_an_end(
    seconds: float, tenths: int
) -> None:
    """RFC 7828 §3.1."""
    assert edns.tcp_keepalive(seconds) == b"\0\x0b\0\2" + tenths.to_bytes(2, "big")
