"""What a soak has seen, as a table."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tests.soak.chaos.run import BEHIND, Soak


def verdict(soak: Soak, slowness: float) -> list[str]:
    """What is not as it has to be. Seconds may be ``slowness`` times as many."""
    ledger = soak.stage.ledger
    found = [f"{one.at:.1f} s, {one.fault}: {one.what}" for one in ledger.findings]
    found += [f"the server did not start: {one}" for one in soak.stage.failed_starts]
    found += [*soak.udp.judge.lost, *soak.tcp.judge.lost]
    found += [
        f"{one.name} was behind: {one.lag}"
        for one in soak.secondaries
        if one.lag.seconds > BEHIND * slowness
    ]
    return found


def table(soak: Soak) -> str:
    """The figures."""
    return "\n".join(f"{name:38} {value}" for name, value in _rows(soak))


def _rows(soak: Soak) -> Iterator[tuple[str, str]]:
    stage, ledger = soak.stage, soak.stage.ledger
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    yield "seconds; load; processors", f"{soak.seconds:.0f}; {load}; {os.cpu_count()}"
    yield "zones, secondaries", f"{len(stage.zones)}, {len(soak.secondaries)}"
    builds = ledger.counts
    yield (
        "builds; of them refused; killed",
        f"{builds['builds']}; {builds['builds refused']}; {builds['builds killed']}",
    )
    yield "reloads refused", str(builds["reloads refused"])
    yield "faults", str(sum(soak.happened.values()))
    for name, count in sorted(soak.happened.items()):
        recovery = soak.recovery.get(name)
        after = "" if recovery is None else f"; built again after {recovery:.1f} s at most"
        yield f"  {name}", f"{count}{after}"
    for name, counts in (("UDP", soak.udp.counts), ("TCP", soak.tcp.counts)):
        yield f"answers over {name}", f"{counts['answers']} of {counts['asked']}"
        yield "  wrong; lost", f"{counts['wrong']}; {counts['lost']}"
        yield "  not answered while it was started", str(counts["while down"])
        yield "  validated; excused SERVFAIL", f"{counts['validated']}; {counts['excused']}"
    udp = soak.udp.counts
    yield (
        "UDP: asked again; over 2 s; slowest",
        f"{udp['unanswered datagrams'] - udp['while down']}; {udp['late']};"
        f" {soak.udp.slowest:.2f} s",
    )
    yield "starts that failed", str(len(stage.failed_starts))
    down = [one.seconds for one in ledger.down]
    yield (
        "supervisor restarts; seconds down",
        f"{len(down)}; {', '.join(f'{one:.1f}' for one in down) or '-'}",
    )
    for one, prober in zip(soak.secondaries, soak.others, strict=True):
        counts = prober.counts
        yield (
            f"{one.name} behind at most",
            f"{one.lag}; {counts['answers']} answers, {counts['wrong']} wrong,"
            f" {counts['failures']} failed",
        )
        if one.came_back:
            yield "  back with all zones, after its end", f"{one.came_back:.1f} s at most"
    yield "all secondaries equal in the end", "yes" if soak.equal else "no"
    for what in ("supervisor", "workers"):
        seen = [one[what] for one in soak.memory if one[what]]
        if seen:
            row = f"{seen[0]:.0f}, {seen[-1]:.0f}, {max(seen):.0f}"
            yield f"memory of {what}, MiB: first, last, most", row
    left = [one for one in stage.temporary.iterdir() if one.name.startswith("lzc-")]
    octets = sum(file.stat().st_size for one in left for file in one.rglob("*") if file.is_file())
    yield "left in the temporary folder", f"{len(left)} folder(s), {octets} octets"
    yield "tracebacks in the log", str(stage.log.read_text(errors="replace").count("Traceback"))
