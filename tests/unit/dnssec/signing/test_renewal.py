"""Signatures of the next window are made before it begins, a few at a time."""

from __future__ import annotations

from lzc.dnssec.signing.cache import WEEK, SignatureCache, window
from lzc.dnssec.signing.renewal import AGAIN, LEAD, Renewal
from lzc.dnssec.signing.signer import ZoneSigner
from tests.unit.dnssec.signing.test_signer import CSK, KEYS

ADDRESS = bytes((192, 0, 2, 1))
A, NSEC = 1, 47
TURN = window(1_790_000_000).valid_until


class Clock:
    """Goes on by a millisecond each time that it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def owner(number: int) -> bytes:
    label = f"n{number}".encode()
    return bytes((len(label),)) + label + CSK.zone


def ask(signer: ZoneSigner, numbers: range, now: float, rrtype: int = A) -> list[tuple[bytes, ...]]:
    return [signer.sign(owner(number), rrtype, 60, [ADDRESS], now) for number in numbers]


def filled(count: int = 20) -> tuple[ZoneSigner, SignatureCache]:
    cache = SignatureCache(clock=Clock())
    signer = ZoneSigner([CSK], cache)
    ask(signer, range(count), TURN - 3 * LEAD)
    return signer, cache


def renew(cache: SignatureCache, now: float, renewal: Renewal | None = None) -> int:
    """All that is to be made; in how many steps."""
    renewal = renewal or Renewal(cache)
    steps = 0
    while renewal.step(now, 0.001):
        steps += 1
    return steps


def test_nothing_is_made_long_before_the_turn() -> None:
    _, cache = filled()
    made = cache.made
    assert not Renewal(cache).step(TURN - LEAD - 1, 1.0)
    assert not Renewal(SignatureCache()).step(TURN - 1, 1.0)
    assert cache.made == made


def test_after_the_turn_nothing_that_was_asked_for_is_signed_anew() -> None:
    signer, cache = filled()
    ask(signer, range(5), TURN - 2 * LEAD, NSEC)
    renew(cache, TURN - LEAD)
    made = cache.made
    after = ask(signer, range(20), TURN) + ask(signer, range(5), TURN, NSEC)
    assert cache.made == made
    fresh = ZoneSigner([CSK], SignatureCache())
    assert after == ask(fresh, range(20), TURN) + ask(fresh, range(5), TURN, NSEC)


def test_without_it_all_are_signed_in_the_first_second() -> None:
    signer, cache = filled()
    made = cache.made
    ask(signer, range(20), TURN)
    assert cache.made == made + 20


def test_until_the_turn_the_signatures_are_those_of_this_window() -> None:
    signer, cache = filled()
    before = ask(signer, range(20), TURN - 2 * LEAD)
    renew(cache, TURN - LEAD)
    assert ask(signer, range(20), TURN - 0.001) == before
    assert ask(signer, range(20), TURN) != before


def test_a_step_takes_no_longer_than_it_may() -> None:
    """With a clock that goes on by a millisecond when it is looked at, each makes but a few."""
    signer, cache = filled(20)
    before = cache.made
    renewal = Renewal(cache)
    assert renewal.step(TURN - LEAD, 0.001)
    assert 1 <= cache.made - before <= 2
    assert renew(cache, TURN - LEAD, renewal) >= 9
    assert cache.made == before + 20
    ask(signer, range(20), TURN)
    assert cache.made == before + 20


def test_what_comes_meanwhile_is_made_too() -> None:
    signer, cache = filled()
    renewal = Renewal(cache)
    renew(cache, TURN - LEAD, renewal)
    ask(signer, range(20, 25), TURN - LEAD + 1)
    made = cache.made
    assert renew(cache, TURN - LEAD + 2, renewal) == 0
    assert cache.made == made
    renew(cache, TURN - LEAD + AGAIN, renewal)
    made = cache.made
    ask(signer, range(25), TURN)
    assert cache.made == made


def test_what_other_keys_signed_is_not_made_again() -> None:
    signer, cache = filled()
    other = ZoneSigner([KEYS[15, 257]], cache)
    ask(other, range(3), TURN - 2 * LEAD)
    del signer
    renew(cache, TURN - LEAD)
    made = cache.made
    ask(other, range(3), TURN)
    assert cache.made == made
    ask(ZoneSigner([CSK], cache), range(20), TURN)
    assert cache.made == made + 20


def test_a_clock_that_is_set_past_the_turn_gets_its_own_window() -> None:
    signer, cache = filled()
    renew(cache, TURN - LEAD)
    later = TURN + WEEK
    assert ask(signer, range(20), later) == ask(
        ZoneSigner([CSK], SignatureCache()), range(20), later
    )


def test_each_turn_is_prepared_for() -> None:
    signer, cache = filled()
    renewal = Renewal(cache)
    for turn in (TURN, TURN + WEEK, TURN + 2 * WEEK):
        renew(cache, turn - LEAD, renewal)
        made = cache.made
        ask(signer, range(20), turn)
        assert cache.made == made
