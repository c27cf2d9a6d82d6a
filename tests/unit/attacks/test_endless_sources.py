"""Zone files that ask for work without end (`tests.attacks.endless_sources`), in short."""

from __future__ import annotations

import pytest

from tests.attacks.endless_sources import SHORT, attack


@pytest.mark.parametrize("name", SHORT)
def test_a_build_ends_and_says_what_is_too_much(name: str) -> None:
    found = attack(SHORT[name])
    assert found.ended and found.said, found
    assert found.octets < 2**30
