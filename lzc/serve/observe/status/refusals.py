"""The section of the status page about what was refused."""

from __future__ import annotations

from lzc.foreign_text import shown
from lzc.serve.observe.status.known import Known
from lzc.serve.observe.status.request import Asked
from lzc.serve.observe.status.summary import Level
from lzc.serve.observe.status.table import NAME, NUMBER, Cell, Column, Fact, Section, cut
from lzc.serve.observe.status.words import count, lasting
from lzc.serve.observe.transfer_watch import WORDS


def refused(known: Known, asked: Asked) -> Section:
    """Transfers and queries for them that were refused, and why; and all else that was."""
    found = []
    now = known.seen.now
    for (name, kind, reason), number in known.seen.refusals.items():
        level = Level.AT_RISK if name else Level.NOTE
        who = f"secondary {shown(name)}" if name else "strangers"
        cells = [
            Cell(who),
            Cell(kind),
            Cell(WORDS.get(reason, reason), level),
            Cell(count(number)),
            Cell("–"),
        ]
        found.append((level, -number, who, cells))
    for (name, request, result), number in known.seen.notify.items():
        if result in ("refused", "unsent"):
            what = "refused by it" if result == "refused" else "could not be sent"
            who = f"secondary {shown(name)}"
            asks = "NOTIFY" if request == "notify" else "SOA query"
            cells = [
                Cell(who),
                Cell(asks),
                Cell(what, Level.AT_RISK),
                Cell(count(number)),
                Cell("–"),
            ]
            found.append((Level.AT_RISK, -number, who, cells))
    for one in known.status["strangers"]:
        last = one["last_refusal"]
        if last is None:
            continue
        number = sum(one["refused"].values())
        cells = [
            Cell(one["address"]),
            Cell("transfer", more=shown(last["zone"])),
            Cell(WORDS.get(last["reason"], last["reason"]), Level.NOTE, shown(last["why"], 300)),
            Cell(count(number)),
            Cell(f"{lasting(now - last['at'])} ago"),
        ]
        found.append((Level.GOOD, -last["at"], one["address"], cells))
    found.sort(key=lambda row: row[:3])
    rows, first, pages = cut(found, asked)
    counts, counters = known.seen.health.counts, known.seen.totals.counters
    facts = (
        ("TSIG failures", sum(known.seen.tsig_failures.values())),
        ("TCP connections and transfers without room", counters["tcp_refused"]),
        ("malformed queries", counters["malformed"]),
        ("checks that lead where they may not", counts.get("barred", 0)),
        ("checks that a query made up", counts.get("computed", 0)),
        ("checks beyond the limit", counts.get("unlisted_refused", 0)),
    )
    return Section(
        "refused",
        "Refused",
        "Transfers and NOTIFY that were refused since the start, secondaries before strangers",
        (
            Column("Who", NAME),
            Column("What"),
            Column("Why"),
            Column("How often", NUMBER),
            Column("Last"),
        ),
        [row[3] for row in rows],
        first,
        len(found),
        pages,
        "No transfer and no NOTIFY was refused.",
        [Fact(what, count(number)) for what, number in facts if number],
    )
