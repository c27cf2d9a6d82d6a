"""What a script would change in a database: rows that come, go and change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from lzc.secondary.sql.live import Select
from lzc.secondary.sql.state import Domain, State, TsigSecret


def changes(select: Select, state: State) -> Iterator[str]:
    """A line for each row: ``+`` comes, ``-`` goes, ``~`` changes. No secret is in it."""
    for tsig in state.tsig:
        yield from _tsig(select, tsig)
    for one in state.autoprimaries:
        listed = select("SELECT ip, nameserver FROM supermasters", ())
        if (one.address, one.nameserver) not in {(str(ip), name) for ip, name in listed}:
            yield f"+ supermasters {one.address} {one.nameserver} {one.account}"
    for domain in state.domains:
        yield from _domain(select, domain)


def _tsig(select: Select, tsig: TsigSecret) -> Iterator[str]:
    query = "SELECT algorithm, secret FROM tsigkeys WHERE name = ? ORDER BY algorithm"
    found = select(query, (tsig.name,))
    if tsig.secret is None:
        if all(algorithm != tsig.algorithm for algorithm, _ in found):
            yield f"! tsigkeys {tsig.name} {tsig.algorithm} is not there: --secrets writes it"
        return
    if (tsig.algorithm, tsig.secret) not in found:
        yield f"+ tsigkeys {tsig.name} {tsig.algorithm} (secret)"
    for algorithm, secret in found:
        if (algorithm, secret) != (tsig.algorithm, tsig.secret):
            yield f"- tsigkeys {tsig.name} {algorithm} (secret)"


def _domain(select: Select, domain: Domain) -> Iterator[str]:
    found = select("SELECT id, type, master FROM domains WHERE name = ?", (domain.name,))
    identity = found[0][0] if found else None
    if domain.made:
        wanted = f"{domain.type} {domain.master or ''}".rstrip()
        if not found:
            yield f"+ domains {domain.name} {wanted}"
        elif _differs(domain, found[0][1], found[0][2]):
            before = f"{found[0][1]} {found[0][2] or ''}".rstrip()
            yield f"~ domains {domain.name} {before} -> {wanted}"
    elif not found:
        yield f"! domains {domain.name} is not there yet: run the script again when it came"
        return
    kinds: dict[str, list[str | None]] = {}
    rows = select("SELECT kind, content FROM domainmetadata WHERE domain_id = ?", (identity,))
    for kind, content in rows:
        kinds.setdefault(kind, []).append(content)
    for kind, value in sorted(domain.metadata.items()):
        there = kinds.get(kind, [])
        if value is not None and value not in there:
            yield f"+ domainmetadata {domain.name} {kind} {value}"
        for content in there:
            if content != value:
                yield f"- domainmetadata {domain.name} {kind} {content}"
    yield from _keys(select, domain, identity)
    yield from _of_records(select, domain, identity)


def _differs(domain: Domain, kind: str, master: str | None) -> bool:
    if domain.master is None:
        return kind not in (domain.type, *domain.also)
    return (kind, master) != (domain.type, domain.master)


def _keys(select: Select, domain: Domain, identity: object) -> Iterator[str]:
    if not domain.keys:
        return
    query = "SELECT content, flags, active, published FROM cryptokeys WHERE domain_id = ?"
    known = {content: tuple(map(int, rest)) for content, *rest in select(query, (identity,))}
    for key in domain.keys:
        there, said = known.get(key.content), f"cryptokeys {domain.name} {key.tag}"
        wanted = (key.flags, int(key.active), 1)
        if key.wanted and there is None:
            yield f"+ {said} flags {key.flags} {'active' if key.active else 'inactive'}"
        elif not key.wanted and there is not None:
            yield f"- {said}"
        elif key.wanted and there != wanted:
            yield f"~ {said} {there} -> {wanted}"


def _of_records(select: Select, domain: Domain, identity: object) -> Iterator[str]:
    if domain.records is None:
        return
    query = (
        "SELECT name, type, content, ttl, prio, ordername, auth, disabled FROM records"
        " WHERE domain_id = ?"
    )
    before = Counter((*row[:6], bool(row[6]), bool(row[7])) for row in select(query, (identity,)))
    after = Counter((*row, False) for row in domain.records())
    for sign, rows in (("-", before - after), ("+", after - before)):
        for row in rows.elements():
            shown = ["" if one is None else str(one) for one in row[:5]]
            order = "" if row[5] is None else f" ordername={row[5]!r}"
            more = f"{order} auth={int(row[6])}{' disabled' if row[7] else ''}"
            yield f"{sign} records {' '.join(shown)}{more}"
