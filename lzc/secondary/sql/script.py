"""A state as statements of SQL, which change what is otherwise and nothing else."""

# ruff: noqa: S608 - values come by `Dialect.literal` alone

from __future__ import annotations

from collections.abc import Iterator

from lzc.secondary.sql.dialect import Dialect
from lzc.secondary.sql.state import Autoprimary, Domain, Key, State, TsigSecret

COLUMNS = "domain_id, name, type, content, ttl, prio, disabled, ordername, auth"


def statements(dialect: Dialect, state: State) -> Iterator[str]:
    """The statements between the beginning of the transaction and its end."""
    for tsig in state.tsig:
        yield from _tsig(dialect, tsig)
    for one in state.autoprimaries:
        yield from _autoprimary(dialect, one)
    for domain in state.domains:
        yield from _domain(dialect, domain)


def _tsig(dialect: Dialect, tsig: TsigSecret) -> Iterator[str]:
    name = dialect.literal(tsig.name)
    if tsig.secret is None:
        yield (
            f"-- TSIG key {tsig.name}: its secret is not written here, and has to be there."
            " lzc export sql --secrets writes it."
        )
        return
    same = (
        f"algorithm = {dialect.literal(tsig.algorithm)} AND {dialect.same('secret', tsig.secret)}"
    )
    yield f"DELETE FROM tsigkeys WHERE name = {name} AND NOT ({same});"
    values = f"{name}, {dialect.literal(tsig.algorithm)}, {dialect.literal(tsig.secret)}"
    yield (
        f"INSERT INTO tsigkeys (name, algorithm, secret) SELECT {values}{dialect.from_nothing}"
        f" WHERE NOT EXISTS (SELECT 1 FROM tsigkeys WHERE name = {name});"
    )


def _autoprimary(dialect: Dialect, one: Autoprimary) -> Iterator[str]:
    address, name = dialect.literal(one.address), dialect.literal(one.nameserver)
    yield (
        "INSERT INTO supermasters (ip, nameserver, account)"
        f" SELECT {address}, {name}, {dialect.literal(one.account)}{dialect.from_nothing}"
        f" WHERE NOT EXISTS (SELECT 1 FROM supermasters WHERE ip = {address}"
        f" AND nameserver = {name});"
    )


def _domain(dialect: Dialect, domain: Domain) -> Iterator[str]:
    name = dialect.literal(domain.name)
    found = f"(SELECT id FROM domains WHERE name = {name})"
    if domain.made:
        kind, master = dialect.literal(domain.type), dialect.literal(domain.master)
        yield (
            f"INSERT INTO domains (name, type, master) SELECT {name}, {kind}, {master}"
            f"{dialect.from_nothing} WHERE NOT EXISTS (SELECT 1 FROM domains WHERE name = {name});"
        )
        types = ", ".join(map(dialect.literal, (domain.type, *domain.also)))
        if domain.master is None:
            yield (
                f"UPDATE domains SET type = {kind}, master = NULL"
                f" WHERE name = {name} AND type NOT IN ({types});"
            )
        else:
            yield (
                f"UPDATE domains SET type = {kind}, master = {master} WHERE name = {name}"
                f" AND (type <> {kind} OR master IS NULL OR master <> {master});"
            )
    for what, value in sorted(domain.metadata.items()):
        here = f"domain_id = {found} AND kind = {dialect.literal(what)}"
        if value is None:
            yield f"DELETE FROM domainmetadata WHERE {here};"
            continue
        yield (
            f"DELETE FROM domainmetadata WHERE {here}"
            f" AND (content IS NULL OR NOT ({dialect.same('content', value)}));"
        )
        yield (
            "INSERT INTO domainmetadata (domain_id, kind, content)"
            f" SELECT id, {dialect.literal(what)}, {dialect.literal(value)} FROM domains"
            f" WHERE name = {name} AND NOT EXISTS (SELECT 1 FROM domainmetadata WHERE {here});"
        )
    for key in domain.keys:
        yield from _key(dialect, name, found, key)
    if domain.records is not None:
        yield f"DELETE FROM records WHERE domain_id = {found};"
        for one in domain.records():
            values = (one.name, one.type, one.content, one.ttl, one.prio, False)
            listed = ", ".join(map(dialect.literal, (*values, one.ordername, one.auth)))
            yield (
                f"INSERT INTO records ({COLUMNS}) SELECT id, {listed} FROM domains"
                f" WHERE name = {name};"
            )


def _key(dialect: Dialect, name: str, found: str, key: Key) -> Iterator[str]:
    here = f"domain_id = {found} AND {dialect.same('content', key.content)}"
    if not key.wanted:
        yield f"DELETE FROM cryptokeys WHERE {here};"
        return
    active, flags = dialect.literal(key.active), dialect.literal(key.flags)
    yield (
        f"UPDATE cryptokeys SET flags = {flags}, active = {active}, published = TRUE"
        f" WHERE {here} AND (flags <> {flags} OR active <> {active} OR published <> TRUE);"
    )
    yield (
        "INSERT INTO cryptokeys (domain_id, flags, active, published, content)"
        f" SELECT id, {flags}, {active}, TRUE, {dialect.literal(key.content)} FROM domains"
        f" WHERE name = {name} AND NOT EXISTS (SELECT 1 FROM cryptokeys WHERE {here});"
    )
