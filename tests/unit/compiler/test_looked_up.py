"""Health checks of what code looks up in other zones of the project are in the bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc import config
from lzc.compiler import workers
from lzc.compiler.pipeline import BuildResult, build, check

NOW = 1_900_000_000.0
TOP = "$TTL 60\n@ SOA ns h 1 7200 3600 1209600 60\n@ NS ns\nns A 192.0.2.53\n"
CODE = "ifportup(80, dblookup('pool.example.net', pdns.A))"


class Operator:
    """Who writes zones in a folder, and builds them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "zones").mkdir()
        (folder / "lzc.toml").write_text(
            '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'
        )

    def zone(self, name: str, text: str) -> None:
        (self._folder / "zones" / f"{name}.zone").write_text(TOP + text)

    def remove(self, name: str) -> None:
        (self._folder / "zones" / f"{name}.zone").unlink()

    def build(self) -> BuildResult:
        path = self._folder / "lzc.toml"
        return build(config.load(path), config_path=path, now=NOW)

    def checked(self) -> set[str]:
        path = self._folder / "lzc.toml"
        return {one.address for one in check(config.load(path), config_path=path, now=NOW).checks}


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    made = Operator(tmp_path)
    made.zone("example.org", f'www LUA A "{CODE}"\n')
    made.zone("example.net", "pool A 192.0.2.1\npool A 192.0.2.2\n")
    return made


def test_they_are_found_and_the_code_is_not_said_to_fail(operator: Operator) -> None:
    result = operator.build()
    assert (result.checks, result.warnings) == (2, [])
    assert operator.checked() == {"192.0.2.1", "192.0.2.2"}


def test_they_follow_the_other_zone_though_its_own_did_not_change(operator: Operator) -> None:
    first = operator.build()
    assert operator.build().id == first.id
    operator.zone("example.net", "pool A 192.0.2.3\n")
    second = operator.build()
    assert (second.checks, second.warnings) == (1, [])
    operator.zone("example.org", f'www LUA A "{CODE}"\nmore A 192.0.2.9\n')
    # The other zone is that of the live bundle.
    assert operator.build().checks == 1
    operator.remove("example.net")
    last = operator.build()
    assert last.checks == 0
    assert [fault.rule for fault in last.warnings] == ["lua-fails"]


def test_what_is_looked_up_may_lead_on(operator: Operator) -> None:
    operator.zone(
        "example.org",
        "www LUA A \";local n = dblookup('next.example.com', pdns.CNAME)[1]"
        " if not n then return '192.0.2.7' end return ifportup(80, dblookup(n, pdns.A))\"\n",
    )
    operator.zone("example.com", "next CNAME pool.example.net.\n")
    assert operator.build().checks == 2


def test_the_zone_that_a_name_is_in_is_the_nearest(operator: Operator) -> None:
    operator.zone("pool.example.net", "@ A 192.0.2.5\n")
    operator.zone(
        "example.net", "pool NS ns.pool\nns.pool A 192.0.2.53\n; of the child, not of this zone\n"
    )
    operator.build()
    assert operator.checked() == {"192.0.2.5"}


def test_several_processes_find_the_same(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        operator.zone(f"z{number}.example", f'www LUA A "{CODE}"\n')
    alone = operator.build()
    monkeypatch.setattr(workers, "POOL_OCTETS", 1)
    operator.zone("example.com", "a A 192.0.2.1\n")
    assert operator.build().checks == alone.checks == 2
