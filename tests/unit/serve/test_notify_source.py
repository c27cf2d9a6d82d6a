"""Which address NOTIFY leaves from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc import config
from lzc.faults import InputError
from lzc.serve.notify.secondaries import notify_source
from lzc.serve.transport.sockets import leaves_from

FAR, NEAR, FAR6 = "192.0.2.53", "127.0.0.1", "2001:db8::53"
TWO = ["127.0.0.1:5300", "192.0.2.1:53", "192.0.2.2:53", "[2001:db8::1]:53"]


@pytest.mark.parametrize(
    ("target", "sources", "listen", "expected"),
    [
        (FAR, [], TWO, "192.0.2.1"),
        (NEAR, [], TWO, "127.0.0.1"),
        (FAR6, [], TWO, "2001:db8::1"),
        (FAR, ["192.0.2.9"], TWO, "192.0.2.9"),
        (FAR6, ["192.0.2.9"], TWO, "2001:db8::1"),
        (FAR6, ["192.0.2.9", "2001:db8::9"], TWO, "2001:db8::9"),
        (NEAR, ["192.0.2.9"], TWO, "192.0.2.9"),
        # The kernel's choice: a wildcard, no address of that family, none that gets there.
        (FAR, [], ["0.0.0.0:53"], ""),
        (FAR, [], ["192.0.2.1:53", "0.0.0.0:5353"], ""),
        (FAR, [], ["[::]:53"], ""),
        (FAR, [], ["127.0.0.1:53"], ""),
        (FAR, ["192.0.2.9"], ["0.0.0.0:53"], "192.0.2.9"),
        # A secondary on this machine that knows its primary by another of its addresses.
        (NEAR, [], ["192.0.2.1:53"], "192.0.2.1"),
        ("192.0.2.80", [], ["127.0.0.1:53"], "127.0.0.1"),
    ],
)
def test_the_source_is_one_that_the_secondary_knows(
    target: str, sources: list[str], listen: list[str], expected: str
) -> None:
    assert notify_source(target, sources, listen, {"192.0.2.80"}.__contains__) == expected


def test_what_the_kernel_chooses_is_told() -> None:
    assert leaves_from("127.0.0.1") == "127.0.0.1"


def test_two_sources_of_one_family_are_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "lzc.toml"
    file.write_text('[serve]\nnotify-source = ["192.0.2.1", "192.0.2.2"]\n')
    with pytest.raises(InputError, match="two addresses of one family") as caught:
        config.load(file)
    assert caught.value.faults[0].place.line == 2
    file.write_text('[serve]\nnotify-source = ["192.0.2.300"]\n')
    with pytest.raises(InputError):
        config.load(file)
    file.write_text('[serve]\nnotify-source = ["192.0.2.1", "2001:DB8::1"]\n')
    assert config.load(file).serve.notify_source == ["192.0.2.1", "2001:db8::1"]
