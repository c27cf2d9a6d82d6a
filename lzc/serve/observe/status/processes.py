"""Sections of the status page about the processes of a server, and what they answered."""

from __future__ import annotations

from collections.abc import Mapping

from lzc.serve.ipc.traffic import TRANSPORTS
from lzc.serve.observe.process import ProcessUse
from lzc.serve.observe.status.known import Known
from lzc.serve.observe.status.summary import Level
from lzc.serve.observe.status.table import NAME, NUMBER, Cell, Column, Section
from lzc.serve.observe.status.words import count, lasting, octets, share


def processes(known: Known, used: Mapping[str, ProcessUse]) -> Section:
    """The processes of the server, and what they take; ``used`` is by name."""
    rows = []
    for one in known.seen.processes:
        use = used.get(one.name)
        state = Cell("works", Level.GOOD) if one.ready else Cell("not ready", Level.FAILING)
        rows.append(
            [
                Cell(one.name, more=f"pid {one.pid}" if one.pid else "none"),
                state,
                Cell(count(one.restarts)),
                Cell(lasting(use.user + use.system) if use else "–"),
                Cell(octets(use.private) if use else "–"),
                Cell(octets(use.resident) if use else "–"),
                Cell(count(use.files) if use else "–"),
            ]
        )
    return Section(
        "processes",
        "Processes",
        "Processes of this server",
        (
            Column("Process", NAME),
            Column("State"),
            Column("Restarts", NUMBER),
            Column("CPU time", NUMBER),
            Column("Own memory", NUMBER),
            Column("In RAM", NUMBER),
            Column("Open files", NUMBER),
        ),
        rows,
        1,
        len(rows),
        1,
        "",
    )


def answers(known: Known) -> Section:
    """Answers by RCODE since the start."""
    counted = known.seen.totals.answers
    whole = sum(counted.values())
    codes = sorted({code for _, code in counted})
    found = [(code, [counted.get((over, code), 0) for over in TRANSPORTS]) for code in codes]
    found = sorted((one for one in found if any(one[1])), key=lambda one: -sum(one[1]))
    return Section(
        "answers",
        "Answers",
        "Answers since the start by RCODE",
        (
            Column("RCODE", NAME),
            Column("UDP", NUMBER),
            Column("TCP", NUMBER),
            Column("TLS", NUMBER),
            Column("Share", NUMBER),
        ),
        [
            [Cell(code), *map(Cell, map(count, over)), Cell(share(sum(over), whole))]
            for code, over in found
        ],
        1,
        len(found),
        1,
        "Nobody has asked anything yet.",
    )
