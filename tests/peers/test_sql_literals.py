"""Values in SQL, read back through real PostgreSQL and MariaDB by each of their settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lzc.secondary.sql.dialect import DIALECTS
from tests.peers import databases
from tests.peers._peers.releases import POWERDNS
from tests.peers.databases import Database

MAKERS = {"gpgsql": databases.postgresql, "gmysql": databases.mariadb}
MODES = {
    "gpgsql": (
        "SET standard_conforming_strings = on;",
        "SET standard_conforming_strings = off; SET escape_string_warning = off;",
    ),
    "gmysql": (
        "SET NAMES utf8mb4;",
        "SET NAMES latin1;",
        "SET NAMES utf8mb4; SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES';",
    ),
}
TEXT = {"gpgsql": "TEXT", "gmysql": "TEXT CHARACTER SET utf8mb4"}
TEXTS = st.lists(
    st.text(
        st.one_of(st.sampled_from("'\"\\%?;-\n\t"), st.characters(exclude_categories=["Cs"])),
        max_size=40,
    ).filter(lambda text: "\0" not in text),
    min_size=20,
    max_size=40,
)


@pytest.fixture(scope="module", params=MAKERS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(MAKERS[request.param](POWERDNS[0]))
        opened.run(f"CREATE TABLE literals (id INT, c {TEXT[opened.backend]});")
        yield opened


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_it_is_read_back_by_each_setting(database: Database, texts: list[str]) -> None:
    dialect = DIALECTS[database.backend]
    for mode in MODES[database.backend]:
        lines = [mode, "DELETE FROM literals;"]
        for number, text in enumerate(texts):
            literal = dialect.literal(text)
            lines.append(f"INSERT INTO literals (id, c) SELECT {number}, {literal};")
        database.run("\n".join(lines))
        found = database.select("SELECT c FROM literals ORDER BY id")
        assert [row[0] for row in found] == texts


def test_texts_are_told_apart_by_their_octets(database: Database) -> None:
    dialect = DIALECTS[database.backend]
    secret, other = "QUJD\\'x", "qujd\\'x"
    values = f"'k', 'hmac-sha256', {dialect.literal(secret)}"
    database.run(f"INSERT INTO tsigkeys (name, algorithm, secret) VALUES ({values});")
    for text in (secret, other):
        found = database.select(f"SELECT 1 FROM tsigkeys WHERE {dialect.same('secret', text)}")
        assert bool(found) is (text == secret)
