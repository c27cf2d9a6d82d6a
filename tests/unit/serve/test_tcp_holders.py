"""Who loses a TCP connection when there are too many."""

from __future__ import annotations

import ipaddress
import sys
from collections import Counter
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.serve.transport.tcp_holders import Client, Holders, Tally, TcpLimits


class One:
    """A connection."""

    client: Client


class Crowd:
    """Connections that come as a server's do: whoever loses is counted out."""

    def __init__(self, connections: int = 10, client: int = 100, network: int = 100) -> None:
        self.holders = Holders(TcpLimits(connections, client, network))
        self.lost: list[One] = []

    def come(self, address: str, *, quiet: bool = True) -> One:
        one = One()
        one.client = self.holders.enter(one, ipaddress.ip_address(address).packed)
        loser = self.holders.loser(one)
        if loser is not None:
            assert isinstance(loser, One)
            self.holders.leave(loser)
            self.lost.append(loser)
        if quiet and loser is not one:
            self.holders.waits(one)
        return one


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "touch"]), st.integers(0, 5))))
def test_the_largest_holder_is_known_and_of_equals_the_one_touched_longest_ago(
    steps: list[tuple[str, int]],
) -> None:
    tally: Tally[int] = Tally()
    counts: Counter[int] = Counter()
    order: list[int] = []
    for what, who in steps:
        if what == "add":
            tally.add(who)
            counts[who] += 1
        elif not counts[who]:
            continue
        elif what == "remove":
            tally.remove(who)
            counts[who] -= 1
        else:
            tally.touch(who)
        order = [*(one for one in order if one != who), who]
        most = max(counts.values())
        assert [tally.count(one) for one in range(6)] == [counts[one] for one in range(6)]
        if most:
            assert tally.largest() == next(one for one in order if counts[one] == most)
    assert len(tally) == sum(1 for count in counts.values() if count)


def test_the_limit_holds_however_many_come() -> None:
    crowd = Crowd(50)
    for _ in range(1000):
        crowd.come("192.0.2.1")
        assert len(crowd.holders) <= 50
    assert len(crowd.lost) == 950


def test_who_holds_the_most_loses_its_quietest_connection() -> None:
    crowd = Crowd(10)
    greedy = [crowd.come("192.0.2.1") for _ in range(6)]
    for number in range(4):
        crowd.come(f"198.51.{number}.1")
    crowd.holders.active(greedy[0])
    greedy[0].client.quiet.pop(greedy[0])
    crowd.holders.waits(greedy[0])
    greedy[2].client.quiet.pop(greedy[2])
    crowd.holders.waits(greedy[2], still=True)
    for number in range(3):
        crowd.come(f"203.0.{number}.1")
    assert crowd.lost == [greedy[2], greedy[1], greedy[3]]


def test_a_newcomer_is_turned_away_where_all_of_its_own_are_being_served() -> None:
    crowd = Crowd(5)
    for _ in range(5):
        crowd.come("192.0.2.1", quiet=False)
    late = crowd.come("192.0.2.1")
    assert crowd.lost == [late]


def test_others_get_in_though_the_largest_keeps_all_of_its_own_busy() -> None:
    crowd = Crowd(5)
    busy = [crowd.come("192.0.2.1", quiet=False) for _ in range(5)]
    crowd.come("192.0.2.2")
    crowd.come("198.51.100.1")
    assert crowd.lost == busy[:2]


def test_a_network_of_many_addresses_counts_as_one_holder() -> None:
    crowd = Crowd(20)
    modest = crowd.come("2001:db8:ffff::1")
    swarm = [crowd.come(f"2001:db8:0:{n:x}::1") for n in range(40)]
    assert modest not in crowd.lost
    assert crowd.lost == swarm[: len(crowd.lost)]
    assert len(crowd.lost) == 21


@pytest.mark.parametrize(
    ("one", "other", "client", "network"),
    [
        ("192.0.2.1", "192.0.2.1", True, True),
        ("192.0.2.1", "192.0.2.255", False, True),
        ("192.0.2.1", "192.0.3.1", False, False),
        ("2001:db8:0:1::1", "2001:db8:0:1:f::1", True, True),
        ("2001:db8:0:1::1", "2001:db8:0:ff::1", False, True),
        ("2001:db8:0:1::1", "2001:db8:0:100::1", False, False),
    ],
)
def test_what_a_client_and_what_a_network_is(
    one: str, other: str, client: bool, network: bool
) -> None:
    crowd = Crowd()
    first, second = crowd.come(one), crowd.come(other)
    assert (first.client is second.client) is client
    assert (first.client.network is second.client.network) is network


def test_the_limits_of_a_client_and_of_a_network_are_their_own() -> None:
    crowd = Crowd(100, client=3, network=5)
    mine = [crowd.come("192.0.2.1") for _ in range(4)]
    assert crowd.lost == [mine[0]]
    for number in range(2, 5):
        crowd.come(f"192.0.2.{number}")
    # The sixth of the network: who holds the most of it loses.
    assert crowd.lost == mine[:2]
    crowd.come("198.51.100.1")
    assert len(crowd.lost) == 2


def test_nothing_is_kept_of_who_has_left() -> None:
    crowd = Crowd(100)
    for number in range(50):
        crowd.holders.leave(crowd.come(f"192.0.2.{number}"))
    assert len(crowd.holders) == 0
    assert crowd.holders.known() == 0


def _lines(crowd: Crowd) -> int:
    """Lines of lzc that run when one more comes."""
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal lines
        lines += event == "line" and "tcp_holders" in frame.f_code.co_filename
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        crowd.come("192.0.2.1")
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("clients", [1, 200])
def test_making_room_costs_the_same_however_many_there_are(clients: int) -> None:
    costs = []
    for count in (200, 2000):
        crowd = Crowd(count, client=5000, network=5000)
        for number in range(count):
            crowd.come(f"192.0.2.{number % clients}")
        costs.append(_lines(crowd))
        assert crowd.lost
    assert costs[0] == costs[1] > 10
