"""Places for transfers are shared among keys and addresses, and slow readers give way."""

from __future__ import annotations

from lzc.serve.transport.transfer_slots import SHORT, SLOW, WINDOW, Holder, TransferPlaces


class Reader:
    """A transfer, and how much of it its client has taken."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.octets = 0
        self.full = False
        self.told: list[str] = []

    @property
    def sending(self) -> bool:
        return self.told[-1:] == ["go on"]

    def taken(self) -> int:
        return self.octets

    def stuck(self) -> bool:
        return self.full

    def go_on(self) -> None:
        self.told.append("go on")

    def give_way(self) -> None:
        self.told.append("give way")

    def give_up(self) -> None:
        self.told.append("give up")


class World:
    """Places, and a clock that is set by hand."""

    def __init__(self, places: int = 8, waiting: int = 16) -> None:
        self.places = TransferPlaces(places, waiting)
        self.now = 100.0
        self.refused: list[Reader] = []

    def ask(self, key: str, address: int, *, full: bool = False) -> Reader:
        one = Reader(Holder(key.encode(), bytes((192, 0, 2, address))))
        one.full = full
        if not self.places.ask(one, one.holder, self.now, SHORT + 1):
            self.refused.append(one)
        return one

    def leave(self, one: Reader) -> None:
        self.places.leave(one, self.now)

    def later(self, seconds: float = WINDOW) -> None:
        self.now += seconds
        self.places.look(self.now)


def test_one_server_gets_half_a_key_three_quarters_and_an_address_too() -> None:
    world = World()
    assert [world.ask("a", 1).sending for _ in range(6)] == [True] * 4 + [False] * 2
    assert [world.ask("a", 2).sending for _ in range(3)] == [True] * 2 + [False]
    assert not world.ask("a", 3).sending
    assert [world.ask("b", 4).sending for _ in range(3)] == [True] * 2 + [False]
    assert len(world.places) == 8
    other = World()
    for key in "abc":
        for _ in range(2):
            assert other.ask(key, 1).sending
    assert not other.ask("d", 1).sending
    assert other.ask("d", 2).sending


def test_a_single_place_is_anybodys() -> None:
    world = World(1)
    first, second = world.ask("a", 1), world.ask("b", 2)
    assert first.sending and not second.sending
    world.leave(first)
    assert second.sending


def test_a_place_that_becomes_free_goes_to_who_holds_the_fewest() -> None:
    world = World(4)
    mine = [world.ask("a", 1) for _ in range(4)]
    more = world.ask("a", 2)
    theirs = world.ask("b", 3)
    assert [one.sending for one in (*mine, more, theirs)] == [True, True, False, False, True, True]
    late, later = world.ask("a", 4), world.ask("b", 5)
    assert not late.sending and not later.sending
    world.leave(theirs)
    assert later.sending, "its key holds none; others have waited for longer"
    world.leave(mine[0])
    assert late.sending, "its address holds none"
    assert not mine[2].sending


def test_among_equals_who_has_waited_the_longest_is_first() -> None:
    world = World(2)
    held = [world.ask("a", 1), world.ask("b", 2)]
    waiting = [world.ask(key, number) for number, key in enumerate("cdef", 10)]
    for one in held:
        world.leave(one)
    assert [one.sending for one in waiting] == [True, True, False, False]
    world.leave(waiting[0])
    assert waiting[2].sending


def test_who_does_not_read_gives_way_to_others_and_goes_on_when_they_are_done() -> None:
    world = World(2)
    slow = [world.ask("a", 1, full=True), world.ask("b", 2, full=True)]
    other = world.ask("c", 3)
    world.later(WINDOW / 2)
    assert not other.sending
    world.later(WINDOW)
    assert other.sending
    assert [one.sending for one in slow].count(True) == 1
    world.leave(other)
    assert all(one.sending for one in slow)
    assert not any("give up" in one.told for one in slow)


def test_while_nobody_waits_a_slow_reader_keeps_its_place() -> None:
    world = World()
    slow = world.ask("a", 1, full=True)
    for _ in range(100):
        world.later()
    assert slow.told == ["go on"]


def test_a_reader_that_is_known_to_be_slow_gives_way_at_once() -> None:
    world = World(1)
    slow = world.ask("a", 1, full=True)
    world.later()
    other = world.ask("b", 2)
    assert other.sending and not slow.sending


def test_a_reader_that_was_slow_and_takes_all_now_keeps_its_place() -> None:
    world = World(1)
    one = world.ask("a", 1, full=True)
    world.later()
    one.full = False
    assert not world.ask("b", 2).sending
    assert one.told == ["go on"]


def test_who_reads_or_waits_for_us_is_not_slow() -> None:
    world = World(2)
    fast, starved = world.ask("a", 1, full=True), world.ask("b", 2)
    other = world.ask("c", 3)
    for _ in range(20):
        fast.octets += int(SLOW * WINDOW)
        world.later()
    assert fast.told == starved.told == ["go on"]
    assert not other.sending
    fast.octets += int(SLOW * WINDOW) - 1
    world.later()
    assert other.sending


def test_the_one_who_holds_the_most_gives_way_first() -> None:
    world = World(4)
    two = [world.ask("a", 1, full=True) for _ in range(2)]
    one = [world.ask("b", 2, full=True), world.ask("c", 3, full=True)]
    world.now += WINDOW
    other = world.ask("d", 4)
    world.places.look(world.now)
    assert other.sending
    assert [each.sending for each in two] == [False, True]
    assert all(each.sending for each in one)


def test_slow_readers_give_way_for_nobody_who_may_not_have_their_place() -> None:
    world = World(8)
    for _ in range(4):
        world.ask("a", 1)
    slow = world.ask("b", 2, full=True)
    more = world.ask("a", 1)
    for _ in range(3):
        world.later()
    assert slow.told == ["go on"]
    assert not more.sending


def test_who_is_gone_waits_no_longer() -> None:
    world = World(1)
    first = world.ask("a", 1)
    waiting = [world.ask("b", number) for number in range(2, 8)]
    for one in waiting[:-1]:
        world.leave(one)
    assert world.places.waiting == 1
    world.leave(first)
    assert [one.sending for one in waiting] == [False] * 5 + [True]
    world.leave(waiting[-1])
    world.leave(waiting[-1])
    assert (len(world.places), world.places.waiting) == (0, 0)


def test_the_room_to_wait_is_bounded_and_shared_too() -> None:
    world = World(1, 16)
    world.ask("z", 9)
    for _ in range(1000):
        world.ask("a", 1)
    assert world.places.waiting == 8
    assert len(world.refused) == 992
    world.refused.clear()
    for number in range(100):
        world.ask("a", 2 + number % 7)
    assert world.places.waiting == 12
    world.refused.clear()
    for _ in range(4):
        world.ask("b", 1)
    assert not world.refused
    world.ask("c", 3)
    assert world.places.waiting == 16
    assert len(world.refused) == 1


def test_a_slow_reader_without_room_to_wait_is_given_up() -> None:
    world = World(8, 4)
    slow = [world.ask("a", 1, full=True) for _ in range(4)]
    for _ in range(4):
        world.ask("b", 2)
    waiting = [world.ask("a", 1), world.ask("a", 1), world.ask("c", 3)]
    assert not any(one.sending for one in waiting)
    world.later()
    assert all(one.sending for one in waiting)
    assert [one.told[-1] for one in slow] == ["give way", "give way", "give up", "go on"]


def test_of_two_hundred_who_do_not_read_none_keeps_another_out() -> None:
    world = World(8, 256)
    for _ in range(200):
        world.ask("greedy", 1, full=True)
    for key, address in (("other", 2), ("greedy", 3), ("other", 1)):
        one = world.ask(key, address)
        assert one.sending
        world.leave(one)
    # From very many addresses: after the time in which a reader is judged there is a place.
    many = 40
    for number in range(2, 2 + many):
        world.ask("greedy", number, full=True)
    one = world.ask("greedy", 2 + many)
    assert world.ask("other", 3 + many).sending
    # Six places at a time change hands, among all that have waited for longer.
    for _ in range(many // 6 + 2):
        world.later()
    assert one.sending
