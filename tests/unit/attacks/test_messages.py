"""Messages that no client sends (`tests.attacks.messages`), in short."""

from __future__ import annotations

from tests.attacks.messages import run


def test_whatever_comes_nothing_fails_and_no_response_is_answered() -> None:
    found = run(full=False)
    assert found.sent["response"] > 500
    assert found.answered["response"] == 0
    for kind in ("header", "counts", "edns", "options", "tsig", "noise"):
        assert found.answered[kind] > 100
    assert (found.longer, found.failed, found.restarts) == (0, 0, 0)
