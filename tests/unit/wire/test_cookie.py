"""Server cookies against the test vectors of RFC 9018, appendix A, and their lifetime."""

from ipaddress import ip_address

import pytest

from lzc.wire import cookie

SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
CLIENT = bytes.fromhex("2464c4abcf10c957")
ADDRESS = ip_address("198.51.100.100").packed
NOW = 1559731985


def test_a1_learning_a_new_server_cookie() -> None:
    made = cookie.make(CLIENT, SECRET, ADDRESS, NOW)
    assert made.hex() == "010000005cf79f111f8130c3eee29480"


def test_a2_the_same_client_learning_a_renewed_server_cookie() -> None:
    old = bytes.fromhex("2464c4abcf10c957010000005cf79f111f8130c3eee29480")
    good, option = cookie.answer(old, SECRET, ADDRESS, 1559734385)
    assert good
    assert option.hex() == "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"


def test_a3_another_client_with_reserved_octets_set() -> None:
    address = ip_address("203.0.113.203").packed
    old = bytes.fromhex("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5")
    assert cookie.check(old, SECRET, address, 1559727985)
    _, option = cookie.answer(old, SECRET, address, 1559734700)
    assert option.hex() == "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"


def test_a4_ipv6_query_with_a_rolled_secret() -> None:
    address = ip_address("2001:db8:220:1:59de:d0f4:8769:82b8").packed
    old_secret = bytes.fromhex("dd3bdf9344b678b185a6f5cb60fca715")
    new_secret = bytes.fromhex("445536bcd2513298075a5d379663c962")
    old = bytes.fromhex("22681ab97d52c298010000005cf7c57926556bd0934c72f8")
    assert cookie.check(old, old_secret, address, 1559741961)
    good, option = cookie.answer(old, new_secret, address, 1559741961)
    assert not good
    assert option.hex() == "22681ab97d52c298010000005cf7c609a6bb79d16625507a"


def test_a_young_cookie_is_kept() -> None:
    full = CLIENT + cookie.make(CLIENT, SECRET, ADDRESS, NOW)
    assert cookie.answer(full, SECRET, ADDRESS, NOW + 1799) == (True, full)


def test_a_client_cookie_alone_gets_a_server_cookie() -> None:
    full = CLIENT + cookie.make(CLIENT, SECRET, ADDRESS, NOW)
    assert cookie.answer(CLIENT, SECRET, ADDRESS, NOW) == (False, full)


@pytest.mark.parametrize(
    ("later", "good"), [(-301, False), (-300, True), (0, True), (3600, True), (3601, False)]
)
def test_a_cookie_is_good_for_an_hour_and_five_minutes_ahead(later: int, good: bool) -> None:
    full = CLIENT + cookie.make(CLIENT, SECRET, ADDRESS, NOW)
    assert cookie.check(full, SECRET, ADDRESS, NOW + later) is good


def test_time_wraps_as_a_serial_number() -> None:
    made = 2**32 - 10
    full = CLIENT + cookie.make(CLIENT, SECRET, ADDRESS, made)
    assert cookie.age(full, made + 20) == 20
    assert cookie.check(full, SECRET, ADDRESS, made + 20)


@pytest.mark.parametrize("position", range(24))
def test_a_cookie_with_a_changed_octet_is_bad(position: int) -> None:
    full = bytearray(CLIENT + cookie.make(CLIENT, SECRET, ADDRESS, NOW))
    full[position] ^= 1
    assert not cookie.check(bytes(full), SECRET, ADDRESS, NOW)


@pytest.mark.parametrize("size", [8, 16, 23, 25, 40])
def test_a_cookie_of_another_size_is_bad(size: int) -> None:
    full = CLIENT + cookie.make(CLIENT, SECRET, ADDRESS, NOW)
    assert not cookie.check((full * 2)[:size], SECRET, ADDRESS, NOW)


def test_a_cookie_belongs_to_one_address() -> None:
    full = CLIENT + cookie.make(CLIENT, SECRET, ADDRESS, NOW)
    assert not cookie.check(full, SECRET, ip_address("198.51.100.101").packed, NOW)
