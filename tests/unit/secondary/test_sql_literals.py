"""Values in SQL: what a database makes of a literal is the value itself, whatever it holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.secondary.sql.dialect import DIALECTS

SQLITE = DIALECTS["gsqlite3"]
TEXTS = st.text(
    st.one_of(st.sampled_from("'\"\\%?;-\n\t"), st.characters(exclude_categories=["Cs"])),
    max_size=60,
).filter(lambda text: "\0" not in text)


@given(TEXTS)
def test_sqlite_reads_back_what_was_written(text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        written = f"SELECT {SQLITE.literal(text)}, typeof({SQLITE.literal(text)})"
        assert database.execute(written).fetchone() == (text, "text")


@given(TEXTS)
def test_sqlite_tells_texts_apart_by_octets(text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE t (c VARCHAR(255) COLLATE NOCASE)")
        database.execute("INSERT INTO t VALUES (?)", (text,))
        for other in {text, text.swapcase(), text + " "}:
            found = database.execute(f"SELECT 1 FROM t WHERE {SQLITE.same('c', other)}")
            assert bool(found.fetchall()) is (other == text)


@pytest.mark.parametrize(
    ("backend", "text", "literal"),
    [
        ("gmysql", "it's", "'it''s'"),
        ("gmysql", "a\\b'c", "_utf8mb4 X'615C622763'"),
        ("gmysql", "ü", "_utf8mb4 X'C3BC'"),
        ("gpgsql", "it's", "'it''s'"),
        ("gpgsql", "a\\b'c\nü", "E'a\\\\b''c\\U0000000A\\U000000FC'"),
        ("gsqlite3", "a\\b'c", "'a\\b''c'"),
        ("gsqlite3", "a\nb", "CAST(X'610A62' AS TEXT)"),
    ],
)
def test_a_backslash_is_no_escape_by_any_setting(backend: str, text: str, literal: str) -> None:
    assert DIALECTS[backend].literal(text) == literal


@pytest.mark.parametrize("backend", DIALECTS)
def test_what_no_database_keeps_is_refused(backend: str) -> None:
    with pytest.raises(ValueError, match="octet of zero"):
        DIALECTS[backend].literal("a\0b")


@pytest.mark.parametrize("backend", DIALECTS)
def test_numbers_and_truth(backend: str) -> None:
    literal = DIALECTS[backend].literal
    values = (None, True, False, 0, -1, 2**31 - 1)
    assert [*map(literal, values)] == ["NULL", "TRUE", "FALSE", "0", "-1", "2147483647"]
