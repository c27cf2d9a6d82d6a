"""A zone under another serial is what compiling it with that serial makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.bundle.carried import renumbered, with_serial
from lzc.bundle.manifest import BundleError
from lzc.dnssec.signing.denial import Denial, Way
from tests.unit.compiling import compiled, draft

MANY = "".join(f"a{number} TXT {'x' * 200}\n" for number in range(600))
"""More than one message of a transfer."""
serials = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("text", ["", "www A 192.0.2.1\n", MANY])
@pytest.mark.parametrize("signed", [False, True])
@given(serial=serials)
def test_it_is_as_compiled(text: str, signed: bool, serial: int) -> None:
    made = with_serial(compiled(text, signed=signed), serial, 5)
    wanted = draft(text, signed=signed).finish(serial)
    assert made.info == wanted.info
    assert made.items == wanted.items
    assert b"".join(made.messages) == b"".join(wanted.messages)


def test_another_number_is_as_compiled() -> None:
    denial = Denial(Way.NSEC3)
    made = renumbered(compiled(MANY, signed=True, denial=denial), 77)
    assert made == compiled(MANY, zone_id=77, signed=True, denial=denial)
    assert made.chain


def test_a_zone_that_has_another_serial_than_is_said_is_damaged() -> None:
    made = compiled()
    transfer = bytearray(b"".join(made.messages))
    transfer[-20] ^= 1
    made.messages[:] = [bytes(transfer)]
    with pytest.raises(BundleError, match="another serial"):
        with_serial(made, 7, 5)
