"""What clients make health checks do (`tests.attacks.health_reach`), in short."""

from __future__ import annotations

from lzc.config import LuaSection
from tests.attacks.health_reach import HERE, attack

ANYTHING = (
    '[health]\nallow = ["127.0.0.0/8", "::1/128"]\n'
    'computed = ["address", "port", "url", "options"]\n'
)


def test_clients_learn_nothing_by_health_checks_and_make_few_of_them() -> None:
    found = attack(HERE, full=False)
    assert found["redirect"]["redirected"] > 0
    assert found["redirect"]["came"] == 0
    assert found["page"]["read"] == 0
    assert found["ports"]["found"] == 0
    assert found["flood"]["checks"] <= LuaSection().unlisted_health_checks_per_zone


def test_they_do_where_the_settings_let_them() -> None:
    found = attack(HERE, full=False, health=ANYTHING)
    assert found["redirect"]["came"] > 0
    assert found["page"]["read"] == 1
    assert found["ports"]["found"] == 3
    assert 0 < found["flood"]["checks"] <= LuaSection().unlisted_health_checks_per_zone
