"""Which addresses health checks may reach: those written in a zone, and those that came later."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.config import HealthSection
from lzc.lua.health.reach import CheckReach, Refusal, embedded, host_of

PLAIN = CheckReach()

PUBLIC = ["1.1.1.1", "192.0.2.1", "2001:db8::1", "2606:4700::1111", "::ffff:1.1.1.1"]
NOT_UNREAD = [
    *("127.0.0.1", "127.255.255.255", "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255"),
    *("192.168.0.1", "100.64.0.1", "100.127.255.255", "192.0.0.8", "198.18.0.1", "198.19.255.255"),
    *("::1", "fc00::1", "fdff::1", "fec0::1", "64:ff9b:1::a00:1"),
    # IPv6 addresses that stand for such.
    *("::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::192.168.0.1"),
    *("2002:7f00:1::", "2001:0:1:2:3:4:80ff:fffe", "2001:db8::5efe:10.0.0.1"),
    "2001:db8::200:5efe:10.0.0.1",
]
NEVER = [
    *("169.254.0.1", "169.254.169.254", "169.254.255.255", "0.0.0.0", "0.255.255.255"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("::", "fe80::1", "febf::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254", "fd00:42::42"),
    "fd00:c1::a9fe:a9fe",
    *("::ffff:169.254.169.254", "::169.254.169.254", "::ffff:0:169.254.169.254"),
    *("64:ff9b::169.254.169.254", "64:ff9b:1::169.254.169.254", "2002:a9fe:a9fe::1"),
    *("2001:0:1:2:3:4:5601:5601", "2001:db8::5efe:169.254.169.254", "::ffff:0.0.0.0"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached_wherever_they_come_from(address: str) -> None:
    assert PLAIN.refusal(address, written=True) is None
    assert PLAIN.refusal(address, written=False) is None


@pytest.mark.difference("D-26")
@pytest.mark.parametrize("address", NOT_UNREAD)
def test_private_ones_are_reached_where_they_stand_in_the_zone(address: str) -> None:
    assert PLAIN.refusal(address, written=True) is None
    refusal = PLAIN.refusal(address, written=False)
    assert refusal is not None
    assert "does not stand in the zone as a constant" in refusal.why


@pytest.mark.difference("D-25")
@pytest.mark.parametrize("address", NEVER)
def test_link_local_and_their_like_are_never_reached(address: str) -> None:
    for written in (True, False):
        assert isinstance(PLAIN.refusal(address, written=written), Refusal)


@pytest.mark.parametrize("address", [*NOT_UNREAD, *NEVER])
def test_the_refusal_says_how_to_allow_it(address: str) -> None:
    refusal = PLAIN.refusal(address, written=False)
    assert refusal is not None
    network = refusal.fix.partition('allow = ["')[2].partition('"]')[0]
    allowing = CheckReach.from_config(HealthSection(allow=[network]))
    assert allowing.refusal(address, written=False) is None
    assert allowing.refusal(address, written=True) is None


@pytest.mark.parametrize("address", [*PUBLIC, *NOT_UNREAD, *NEVER])
@pytest.mark.parametrize("allow", [[], ["0.0.0.0/0", "::/0"]])
def test_deny_wins_over_everything(address: str, allow: list[str]) -> None:
    reach = CheckReach.from_config(HealthSection(allow=allow, deny=["0.0.0.0/0", "::/0"]))
    for written in (True, False):
        refusal = reach.refusal(address, written=written)
        assert refusal is not None
        assert "deny" in refusal.fix


def test_networks_of_ipv4_are_about_ipv6_addresses_that_stand_for_such() -> None:
    reach = CheckReach.from_config(HealthSection(allow=["10.0.0.0/8"], deny=["192.0.2.0/24"]))
    assert reach.refusal("64:ff9b::10.1.2.3", written=False) is None
    assert reach.refusal("::ffff:192.0.2.1", written=True) is not None


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "1.2.3.4:80", "::g"],
)
def test_what_is_no_address_in_its_own_notation_is_refused(text: str) -> None:
    assert CheckReach.from_config(HealthSection(allow=["0.0.0.0/0", "::/0"])).refusal(
        text, written=True
    )


def test_an_address_with_a_scope_is_refused() -> None:
    assert PLAIN.refusal("2001:db8::1%eth0", written=True) is not None


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_the_same_in_every_ipv6_form(plain: ipaddress.IPv4Address) -> None:
    number = int(plain)
    for form in (
        0xFFFF << 32 | number,
        0x64FF9B << 96 | number,
        0x2002 << 112 | number << 80 | 1,
        0x20010000 << 96 | (number ^ 0xFFFFFFFF),
    ):
        text = str(ipaddress.IPv6Address(form))
        assert embedded(ipaddress.IPv6Address(form)) == plain
        for written in (True, False):
            ours = PLAIN.refusal(str(plain), written=written)
            theirs = PLAIN.refusal(text, written=written)
            assert (ours is None) == (theirs is None)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://192.0.2.1/", "192.0.2.1"),
        ("http://me@[2001:db8::1]:80/", "2001:db8::1"),
        ("http://www.example.com/", ""),
        ("http://127.1/", ""),
        ("http://[::1/", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_url_where_it_is_an_address(url: str, host: str) -> None:
    assert host_of(url) == host
