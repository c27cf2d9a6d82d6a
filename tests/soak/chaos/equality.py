"""Whether secondaries are equal to their primary: in the end, when nobody changes anything."""

from __future__ import annotations

import time
from collections.abc import Sequence

import dns.exception
import dns.query

from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK
from tests.soak.chaos import zones
from tests.soak.chaos.probe import make
from tests.soak.chaos.secondaries import Secondary
from tests.soak.chaos.stage import Stage
from tests.soak.chaos.zones import ChaosZone, Question


def have_all(stage: Stage, secondaries: Sequence[Secondary]) -> bool:
    """Whether each has shown what was acknowledged, of every zone it has."""
    return not any(one.behind(stage.ledger) for one in secondaries)


def equal(stage: Stage, secondaries: Sequence[Secondary], asked: Sequence[ChaosZone]) -> bool:
    """Wait until they have all there is, and hold serials, and all answers of the zones ``asked``,
    against it; what differs is a finding."""
    ledger = stage.ledger
    end = time.monotonic() + PATIENCE
    while not have_all(stage, secondaries) and time.monotonic() < end:
        time.sleep(0.05)
    found = len(ledger.findings)
    for secondary in secondaries:
        for name in secondary.behind(ledger):
            ledger.find(f"{secondary.name} never got the newest {name}")
    serials = {name: _serial(stage.port, zone) for name, zone in stage.zones.items()}
    names = {zone.name for zone in asked}
    for secondary in secondaries:
        for zone in secondary.zones:
            if (theirs := _serial(secondary.port, zone)) != serials[zone.name]:
                what = f"{zone.name} with {theirs}, the primary {serials[zone.name]}"
                ledger.find(f"{secondary.name} has {what}")
            for question in zones.questions(zone) if zone.name in names else ():
                _compare(stage, secondary, question)
    return found == len(ledger.findings)


def _serial(port: int, zone: ChaosZone) -> int | None:
    query = make(Question(zone, "", "SOA"), 1, False)
    try:
        return zones.serial(dns.query.udp(query, LOOPBACK, port=port, timeout=PATIENCE))
    except dns.exception.DNSException:
        return None


def _compare(stage: Stage, secondary: Secondary, question: Question) -> None:
    ledger = stage.ledger
    query = make(question, 1, False)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            response = dns.query.udp(
                query, LOOPBACK, port=secondary.port, timeout=PATIENCE, source=zones.CLIENT
            )
            generation = zones.judge(question, response)
        except zones.ServerFailure as failure:
            # A check that begins with the first query has no result yet, on PowerDNS.
            if question.label == "up" and time.monotonic() < end:
                time.sleep(0.05)
                continue
            ledger.find(f"{secondary.name}: {failure}")
            return
        except (zones.WrongAnswerError, dns.exception.DNSException) as error:
            ledger.find(f"{secondary.name}: {error}")
            return
        if generation not in (None, ledger.floor[question.zone.name]):
            ledger.find(f"{secondary.name} answers {question.name} of generation {generation}")
        return
