"""When a secondary is told what, with a clock of the test's own."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import pytest

from lzc.config import SecondarySection
from lzc.serve.notify import message as messages
from lzc.serve.notify.message import Reply
from lzc.serve.notify.secondary import NotifiedSecondary
from lzc.serve.notify.zone_at_secondary import ZoneAtSecondary
from lzc.wire import name as wire_name
from lzc.wire.tsig import TsigKey

ORG = wire_name.from_text("example.org.")
COM = wire_name.from_text("example.com.")
Answers = Callable[["Play", ZoneAtSecondary], Reply | None]


def zones(count: int, serial: int = 7) -> dict[bytes, int]:
    return {wire_name.from_text(f"z{number}.example."): serial for number in range(count)}


class Play:
    """A secondary, what it answers, and what it was sent: (time, apex, "NOTIFY" or "SOA").

    It has `takes` seconds for a transfer after NOTIFY; while `down` it answers nothing.
    """

    def __init__(self, names: dict[bytes, int], takes: float = 0.0) -> None:
        section = SecondarySection(name="ns2", address="192.0.2.1:53")
        self.secondary = NotifiedSecondary(section, {})
        self.now = 1000.0
        self.began = self.now
        self.takes = takes
        self.down = False
        self.reply: Answers = Play.good
        self.has: dict[bytes, tuple[float, int]] = {}
        self.sent: list[tuple[float, bytes, str]] = []
        self.said: list[tuple[float, int, str]] = []
        self.secondary.update(names)

    def good(self, zone: ZoneAtSecondary) -> Reply:
        if not zone.polls:
            if self.has.get(zone.apex, (0, 0))[1] != zone.serial:
                self.has[zone.apex] = self.now + self.takes, zone.serial
            return Reply()
        since, serial = self.has.get(zone.apex, (0.0, 1))
        return Reply(serial=serial if since <= self.now else 1)

    def run(self, seconds: float) -> None:
        """Let the time pass; every answer takes 10 ms."""
        end = self.now + seconds
        while True:
            answers = []
            for zone in self.secondary.orders(self.now):
                what = "SOA" if zone.polls else "NOTIFY"
                self.sent.append((self.now - self.began, zone.apex, what))
                if not self.down:
                    answers.append((zone, self.reply(self, zone)))
            news = self.secondary.words.take()
            self.said += [(self.now - self.began, level, line) for level, line, _ in news]
            if answers:
                self.now += 0.01
                for zone, reply in answers:
                    if reply is not None:
                        self.secondary.answered(zone, reply, self.now)
                continue
            due = self.secondary.next_due()
            if due is None or due > end:
                self.now = end
                return
            assert due > self.now - 1e-9
            self.now = max(due, self.now + 1e-6)

    def begin(self) -> None:
        """Count from now."""
        self.sent.clear()
        self.said.clear()
        self.began = self.now

    def times(self, what: str) -> list[float]:
        return [round(when, 2) for when, _, asked in self.sent if asked == what]

    @property
    def current(self) -> int:
        return int(self.secondary.status(self.now)["current"])


@pytest.mark.parametrize("takes", [0.0, 0.7, 1.2, 3.0, 9.0])
def test_a_change_is_one_notify_however_long_the_transfer_takes(takes: float) -> None:
    play = Play({ORG: 7}, takes)
    play.run(60)
    assert play.times("NOTIFY") == [0]
    assert play.current == 1
    assert play.said == []


def test_the_serial_is_looked_at_with_growing_pauses() -> None:
    play = Play({ORG: 7}, takes=9)
    play.run(60)
    assert play.times("SOA") == [0.51, 1.52, 3.53, 7.54, 15.55]


def test_one_whose_questions_went_to_a_lost_worker_is_told_again_at_once() -> None:
    """Given an answered NOTIFY, and a query for the SOA that nobody answered: it waits for another
    NOTIFY, and would have to for as long as a transfer may take."""
    play = Play({ORG: 7, COM: 7}, takes=0.2)
    play.run(3)
    assert play.current == 2
    play.begin()
    play.secondary.update({ORG: 8, COM: 7})
    play.takes = 1e9
    play.run(3)
    assert play.times("NOTIFY") == [0]
    play.has.clear()
    play.has[COM] = 0, 7
    play.takes = 0.2
    play.secondary.remind()
    play.run(1)
    assert play.times("NOTIFY") == [0, 3.0]
    assert {apex for _, apex, what in play.sent if what == "NOTIFY"} == {ORG}
    assert play.current == 2


def test_one_that_restarts_with_a_notify_it_answered_is_told_again() -> None:
    play = Play({ORG: 7, COM: 7})
    play.run(3)
    play.begin()
    play.secondary.update({ORG: 8, COM: 7})
    play.takes = 1e9
    play.run(0.2)
    assert play.times("NOTIFY") == [0]
    play.down = True
    play.has.pop(ORG)
    play.run(1)
    play.down, play.takes = False, 0.2
    play.run(3)
    assert play.times("NOTIFY") == [0, 2.52]
    assert play.current == 2
    assert play.said == []


def test_who_refuses_a_zone_after_its_transfer_is_told_why_that_may_be() -> None:
    """PowerDNS from 5.1 on, without the setting that the hint names."""
    play = Play({ORG: 7}, takes=1e9)
    refused = Reply("answered REFUSED, to the query for the SOA", kind=messages.REFUSES_SOA)
    play.reply = lambda play, zone: refused if zone.polls else Play.good(play, zone)
    play.run(1)
    (state,) = play.secondary.status(play.now)["states"]
    assert state["error"] == refused.problem
    play.secondary.transferred(ORG, 7, play.now, "it needs a setting")
    play.run(20)
    (state,) = play.secondary.status(play.now)["states"]
    assert state["error"] == f"{refused.problem}, though it was sent: it needs a setting"
    assert any("it needs a setting" in line for _, _, line in play.said)


def test_a_transfer_of_another_at_its_address_costs_no_patience() -> None:
    """With one key and one address they are told apart by nothing."""
    play = Play({ORG: 7}, takes=0.2)
    play.run(3)
    play.begin()
    play.secondary.update({ORG: 8})
    play.secondary.transferred(ORG, 8, play.now)
    play.run(3)
    assert play.times("SOA")[0] == 0.25
    assert play.times("NOTIFY") == [0.26]
    assert play.current == 1
    assert play.said == []


def test_transfers_of_another_at_its_address_are_no_sign_of_life() -> None:
    """What it does not answer then is not taken for bad luck with one zone, whose pauses double."""
    play = Play({ORG: 7, COM: 7})
    play.run(3)
    play.begin()
    play.down = True
    play.secondary.update({ORG: 8, COM: 8})
    for _ in range(11):
        play.run(0.3)
        play.secondary.transferred(ORG, 8, play.now, alone=False)
    play.down = False
    play.run(1.5)
    assert play.current == 2


def test_a_transfer_that_is_seen_is_a_moment_to_look() -> None:
    play = Play({ORG: 7}, takes=4.0)
    play.run(4.1)
    play.secondary.transferred(ORG, 7, play.now)
    play.run(0.4)
    assert play.current == 1


def test_a_secondary_that_takes_notify_and_nothing_else_is_notified_again() -> None:
    play = Play({ORG: 7}, takes=1e9)
    play.run(40)
    assert play.times("NOTIFY") == [0, 16.56, 34.12]
    [(_, level, line)] = play.said
    assert level == logging.WARNING
    assert "zone example.org. serial 7: behind" in line


@pytest.mark.parametrize("count", [1, 45, 120, 3000])
def test_one_line_soon_tells_that_a_secondary_is_gone_and_one_that_it_is_back(count: int) -> None:
    play = Play(zones(count))
    play.down = True
    play.run(200)
    [(when, level, line)] = play.said
    assert 4 <= when <= 6
    assert level == logging.WARNING
    assert line == f"secondary ns2 (192.0.2.1:53): does not answer: {count} of {count} zones behind"
    play.begin()
    play.down = False
    play.run(3 + count / 150)
    assert play.current == count
    [(when, level, line)] = play.said
    assert when <= 2.1
    assert level == logging.INFO
    assert f"answers again after 20{int(when)} s: {count} of {count} zones behind" in line
    assert len(play.times("NOTIFY")) == count


def test_how_often_one_was_gone_without_a_word_is_told_once_its_time_is_over() -> None:
    play = Play(zones(45))
    for serial in range(3):
        play.secondary.update(dict.fromkeys(zones(45), 10 + serial), play.now)
        play.down = True
        play.run(8)
        play.down = False
        play.run(8)
    lines = [line for _, _, line in play.said]
    assert sum("does not answer: " in line for line in lines) == 1
    play.begin()
    play.secondary.look(play.now)
    play.run(60)
    play.secondary.look(play.now)
    play.run(1)
    [(_, level, line)] = play.said
    assert level == logging.WARNING
    assert line.endswith("ceased to answer 2 more times: 0 of 45 zones behind")
    play.secondary.look(play.now + 600)
    play.run(1)
    assert len(play.said) == 1


def test_while_it_is_gone_one_request_goes_out_every_two_seconds() -> None:
    play = Play(zones(500))
    play.down = True
    play.run(100)
    play.begin()
    play.run(600)
    assert len(play.sent) == 300
    assert len({apex for _, apex, _ in play.sent}) == 300


def test_it_is_back_when_it_comes_by_itself() -> None:
    play = Play(zones(45))
    play.down = True
    play.run(100.5)
    play.begin()
    play.down = False
    third = wire_name.from_text("z3.example.")
    play.has[third] = play.now, 7
    play.secondary.transferred(third, 7, play.now)
    play.run(0.7)
    assert play.current == 45


def test_zones_that_rest_for_another_reason_wake_too() -> None:
    play = Play(zones(10))
    play.reply = lambda _play, _zone: Reply("answered REFUSED", kind="SOA 5")
    play.run(100)
    play.down = True
    play.run(200)
    assert any("does not answer" in line for _, _, line in play.said)
    play.down = False
    play.reply = Play.good
    play.run(3)
    assert play.current == 10


def test_datagrams_that_are_lost_now_and_then_are_no_outage() -> None:
    play = Play(zones(100))
    chance = random.Random(1)
    play.reply = lambda inner, zone: None if chance.random() < 0.1 else inner.good(zone)
    play.run(300)
    assert play.current == 100
    assert play.said == []


def test_a_zone_that_alone_gets_no_answer_keeps_no_other_waiting() -> None:
    play = Play(zones(1000))
    deaf = set(zones(150))
    play.reply = lambda inner, zone: None if zone.apex in deaf else inner.good(zone)
    play.run(15)
    assert play.current == 850
    play.run(105)
    lines = [line for _, _, line in play.said]
    assert any("150 of 1000 zones, such as z0.example." in line for line in lines), lines
    assert not any("does not answer" in line for line in lines)


def test_refused_notify_is_a_warning_that_says_from_where_it_came_and_what_to_set() -> None:
    play = Play(zones(45))
    play.secondary.source = "192.0.2.9"
    play.reply = lambda _play, _zone: Reply(
        "answered REFUSED, to NOTIFY: it has no such zone, or another address as its primary",
        kind=messages.REFUSES_NOTIFY,
    )
    play.run(500)
    [(when, level, line)] = play.said
    assert when <= 3
    assert level == logging.WARNING
    assert "45 of 45 zones, such as z0.example. serial 7: answered REFUSED, to NOTIFY" in line
    assert "it left from 192.0.2.9" in line
    assert "notify-source in [serve]" in line


def test_a_flapping_secondary_does_not_fill_the_log() -> None:
    play = Play(zones(5))
    for serial in range(8, 40):
        play.down = serial % 2 == 0
        play.secondary.update(zones(5, serial))
        play.run(10)
    assert len(play.said) <= 12


def test_what_is_gone_from_the_bundle_is_asked_about_no_more() -> None:
    play = Play(zones(20))
    play.down = True
    play.run(20)
    play.secondary.update({})
    play.begin()
    play.run(100)
    assert play.sent == []
    assert play.secondary.status(play.now)["silent"] is None


def test_ten_thousand_zones_go_through_the_window() -> None:
    play = Play(zones(10_000))
    play.run(0.005)
    assert len(play.sent) <= 100
    play.run(100)
    assert play.current == 10_000
    assert len(play.times("NOTIFY")) == 10_000


@pytest.mark.parametrize("theirs", [8, 7 + 2**31 - 1])
def test_a_secondary_that_is_ahead_is_not_called_current(theirs: int) -> None:
    play = Play({ORG: 7, COM: 7})
    play.reply = lambda play, zone: Reply(
        serial=(theirs if zone.apex == ORG else 7) if zone.polls else None
    )
    play.run(60)
    status = play.secondary.status(play.now)
    assert (status["current"], status["ahead"]) == (1, 1)
    first, second = status["states"]
    assert (first["zone"], first["current"], first["ahead"]) == ("example.org.", False, True)
    assert (second["current"], second["ahead"], second["error"]) == (True, False, "")
    assert f"ahead, as it has {theirs}" in first["error"]
    assert [level for _, level, _ in play.said] == [logging.WARNING]
    assert f"example.org. serial 7: ahead, as it has {theirs}" in play.said[0][2]
    # It has what it has: nothing is gained by asking again.
    assert len(play.times("NOTIFY")) == 2

    play.secondary.update({ORG: theirs + 1, COM: 7})
    play.reply = Play.good
    play.run(60)
    assert play.secondary.status(play.now)["ahead"] == 0
    assert play.current == 2


def test_who_refuses_notify_is_asked_why_at_once() -> None:
    play = Play({ORG: 7})

    def refuse(play: Play, zone: ZoneAtSecondary) -> Reply:
        if zone.polls:
            return Reply("answered REFUSED", kind=messages.REFUSES_SOA, said="x", rcode=5)
        return Reply(
            "no", kind=messages.REFUSES_NOTIFY, said="answered REFUSED, to NOTIFY", rcode=5
        )

    play.reply = refuse
    play.run(0.5)
    assert [what for *_, what in play.sent] == ["NOTIFY", "SOA"]
    [state] = play.secondary.status(play.now)["states"]
    assert state["error"] == (
        "answered REFUSED, to NOTIFY, and REFUSED to the query for the SOA: it has no such zone"
    )
    play.run(200)
    assert [what for *_, what in play.sent] == ["NOTIFY", "SOA"] * (len(play.sent) // 2)
    assert len(play.sent) < 30, "with pauses that grow"


def test_who_refuses_notify_and_comes_by_itself_is_current_all_the_same() -> None:
    play = Play({ORG: 7})

    def refuse(play: Play, zone: ZoneAtSecondary) -> Reply:
        if zone.polls:
            return Reply(serial=7 if play.now > 1010 else 6)
        return Reply(
            "no", kind=messages.REFUSES_NOTIFY, said="answered REFUSED, to NOTIFY", rcode=5
        )

    play.reply = refuse
    play.run(5)
    [state] = play.secondary.status(play.now)["states"]
    assert (state["current"], state["secondary_serial"]) == (False, 6)
    assert (
        "though it has the zone (serial 6): it takes NOTIFY for it from another" in state["error"]
    )
    play.run(200)
    assert play.current == 1
    assert play.secondary.status(play.now)["states"][0]["error"] == ""


def test_pauses_are_spread_by_chance() -> None:
    tries = []
    for chance in (0.0, 0.5, 1.0):
        section = SecondarySection(name="ns2", address="192.0.2.1:53")
        secondary = NotifiedSecondary(section, {}, chance=lambda chance=chance: chance)  # type: ignore[misc]
        secondary.update({ORG: 7})
        [zone] = secondary.orders(0.0)
        secondary.answered(zone, Reply("no", kind="no"), 0.0)
        tries.append(secondary.next_due())
    assert tries == [0.8, 1.0, 1.2]


def test_who_takes_the_key_from_another_address_only_is_asked_without_it() -> None:
    """As of Knot DNS, which answers NOTAUTH to every request with a key that its acl does not let
    in, and to none without whether it has the zone."""
    key = TsigKey(wire_name.from_text("k.example."), "hmac-sha256", bytes(32))
    section = SecondarySection(name="ns2", address="192.0.2.1:53", tsig="k.example.")
    secondary = NotifiedSecondary(section, {key.name: key})
    secondary.update({ORG: 7})
    sent = []
    answers = (
        Reply("no", kind=messages.REFUSES_NOTIFY, said="answered NOTAUTH, unsigned, to NOTIFY"),
        Reply("answered NOTAUTH", kind="SOA 9", rcode=9),
        Reply(serial=7),
    )
    for reply in answers:
        [zone] = secondary.orders(0.0)
        request = secondary.request(zone, 1, 1_800_000_000.0)
        sent.append((zone.polls, b"hmac-sha256" in request.wire))
        secondary.answered(zone, reply, 0.0)
    assert sent == [(False, True), (True, True), (True, False)]
    assert zone.problem == (
        "answered NOTAUTH, unsigned, to NOTIFY, though it has the zone (serial 7): it takes NOTIFY"
        " for it from another address only"
    )
    assert not zone.current, "that is not signed"
    assert list(secondary.orders(0.0)) == []
    [again] = secondary.orders(2.0)
    assert b"hmac-sha256" in secondary.request(again, 2, 1_800_000_002.0).wire
