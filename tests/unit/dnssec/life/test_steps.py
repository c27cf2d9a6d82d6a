"""Steps of a key's life: the dates they set, what they take away, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.dnssec.life.outlook import DatedKey
from lzc.dnssec.life.phases import Intervals, Life, Phase, life
from lzc.dnssec.life.steps import Contradiction, Step, consequences, dated, takes_away
from lzc.dnssec.life.timing import Timing

NOW = 1_790_000_000
HOUR, DAY = 3600, 86400
ACTIVE = Timing(created=NOW - DAY, publish=NOW - DAY, activate=NOW - DAY)
RETIRED = Timing(created=0, publish=0, activate=0, inactive=NOW - HOUR)


def key(tag: int, timing: Timing, *, is_sep: bool = True) -> DatedKey:
    return DatedKey(tag, is_sep, timing)


@pytest.mark.parametrize(
    ("before", "step", "at", "after", "also"),
    [
        (Timing(created=0), Step.PUBLISH, NOW, Timing(created=0, publish=NOW), 0),
        (Timing(created=0), Step.ACTIVATE, NOW, Timing(created=0, publish=NOW, activate=NOW), 1),
        (ACTIVE, Step.RETIRE, NOW + DAY, replace(ACTIVE, inactive=NOW + DAY), 0),
        # A key that retired signs again, and what contradicts that is dropped.
        (RETIRED, Step.ACTIVATE, NOW, Timing(created=0, publish=0, activate=NOW), 1),
        (RETIRED, Step.RETIRE, None, Timing(created=0, publish=0, activate=0), 0),
        (
            ACTIVE,
            Step.REMOVE,
            NOW + DAY,
            replace(ACTIVE, inactive=NOW + DAY, delete=NOW + DAY),
            1,
        ),
        # A key without dates is always active: what one of them says changes nothing else.
        (Timing(), Step.RETIRE, NOW + DAY, Timing(NOW, NOW, NOW, inactive=NOW + DAY), 0),
    ],
)
def test_a_step_sets_its_date_and_what_goes_with_it(
    before: Timing, step: Step, at: int | None, after: Timing, also: int
) -> None:
    found = dated(before, step, at, NOW)
    assert found.timing == after
    assert len(found.also) == also


def test_a_ksk_that_retires_is_in_no_cds_any_more() -> None:
    found = dated(ACTIVE, Step.RETIRE, NOW + DAY, NOW, is_sep=True)
    assert found.timing.sync_delete == NOW + DAY
    assert dated(found.timing, Step.RETIRE, None, NOW, is_sep=True).timing == ACTIVE


def test_a_revoked_key_never_comes_back() -> None:
    revoked = dated(ACTIVE, Step.REVOKE, NOW, NOW).timing
    assert revoked.state(NOW) == "revoked"
    for step in (Step.ACTIVATE, Step.REVOKE):
        with pytest.raises(Contradiction, match="RFC 5011"):
            dated(revoked, step, NOW, NOW)


MOMENTS = st.one_of(st.none(), st.integers(NOW - 1000, NOW + 1000))


@given(
    st.builds(Timing, MOMENTS, MOMENTS, MOMENTS, st.none(), MOMENTS, MOMENTS),
    st.sampled_from(Step),
    st.integers(NOW - 1500, NOW + 1500),
)
def test_a_step_brings_what_it_is_called(before: Timing, step: Step, at: int) -> None:
    after = dated(before, step, at, NOW).timing
    state = after.state(at)
    expected = {
        Step.PUBLISH: {"published", "active"},
        Step.ACTIVATE: {"active"},
        Step.RETIRE: {"published", "hidden"},
        Step.REMOVE: {"hidden"},
        Step.REVOKE: {"revoked", "hidden"},
    }
    assert state in expected[step]


class TestTakingAway:
    def test_the_last_active_key(self) -> None:
        retired = dated(ACTIVE, Step.RETIRE, NOW + DAY, NOW).timing
        assert "no other takes over" in takes_away([key(1, ACTIVE)], [key(1, retired)], NOW)
        both = [key(1, ACTIVE), key(2, ACTIVE)]
        assert not takes_away(both, [key(1, retired), key(2, ACTIVE)], NOW)

    def test_the_last_key_that_the_parent_could_name(self) -> None:
        before = [key(1, ACTIVE), key(2, ACTIVE, is_sep=False)]
        after = [key(1, RETIRED), key(2, ACTIVE, is_sep=False)]
        assert "no active KSK" in takes_away(before, after, NOW)
        assert "no active KSK" in takes_away(before, after[1:], NOW)

    def test_an_end_that_was_there_before_is_none_of_it(self) -> None:
        ending = Timing(0, 0, 0, inactive=NOW + DAY)
        later = Timing(0, 0, 0, inactive=NOW + 2 * DAY)
        assert not takes_away([key(1, ending)], [key(1, later)], NOW)
        assert takes_away([key(1, later)], [key(1, ending)], NOW)


@pytest.mark.parametrize("step", Step)
def test_what_follows_is_said_with_its_time(step: Step) -> None:
    after = dated(ACTIVE, step, NOW + 2 * DAY, NOW).timing
    said = " ".join(consequences(key(1, ACTIVE), after, step, NOW, Intervals()))
    assert "2026-09-23 14:13 UTC on, in 48 hours" in said or "in 2 days" in said
    taken_back = list(consequences(key(1, ACTIVE), ACTIVE, step, NOW, Intervals()))
    if step in (Step.RETIRE, Step.REMOVE, Step.REVOKE):
        assert taken_back == [f"{step.date} is taken back: by its dates the key is active"]


class TestLife:
    SPANS = Intervals(100, 1000, 2000, 10, 20, 5)

    def test_each_phase_comes_at_its_time(self) -> None:
        timing = Timing(0, publish=1000, activate=2000, inactive=9000, delete=20000)
        spans = [
            (999, Life(Phase.GENERATED, Phase.PUBLISHED, 1000)),
            (1000, Life(Phase.PUBLISHED, Phase.READY, 1115)),
            (1115, Life(Phase.READY, Phase.ACTIVE, 2000)),
            (2000, Life(Phase.ACTIVE, Phase.RETIRED, 9000)),
            (9000, Life(Phase.RETIRED, Phase.DEAD, 9000 + 1015)),
            (10015, Life(Phase.DEAD, Phase.REMOVED, 20000)),
            (20000, Life(Phase.REMOVED)),
        ]
        for now, expected in spans:
            assert life(timing, now, self.SPANS, is_sep=False) == expected

    def test_a_ksk_is_needed_while_its_ds_is_in_caches(self) -> None:
        timing = Timing(0, publish=0, activate=0, inactive=9000)
        assert life(timing, 9001, self.SPANS, is_sep=True).at == 9000 + 2025

    def test_a_key_that_signs_at_once_is_active_at_once(self) -> None:
        assert life(ACTIVE, NOW, self.SPANS, is_sep=True) == Life(Phase.ACTIVE)
        assert life(Timing(), NOW, self.SPANS, is_sep=True) == Life(Phase.ACTIVE)

    def test_a_key_that_is_only_made_waits(self) -> None:
        assert life(Timing(created=0), NOW, self.SPANS, is_sep=True) == Life(Phase.GENERATED)
