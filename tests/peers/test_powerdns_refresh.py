"""PowerDNS of three generations transfers a signed zone when it has changed, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, cast

import pytest

from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.refreshing import Refreshing

REFRESHES = 2
"""``python -m tests.soak refresh`` waits for as many as an hour has."""


def each_change_is_transferred_once(release: Release, folder: Path, *, keyless: bool) -> None:
    pair = Refreshing(folder, release, keyless=keyless)
    with pair.run():
        pair.await_checks(REFRESHES)
        assert pair.transfers() == 1
        for number in (1, 2):
            pair.change(number)
            pair.await_checks(2)
            assert pair.transfers() == 1 + number


def with_tsig(release: Release, folder: Path) -> None:
    each_change_is_transferred_once(release, folder, keyless=False)


def by_address(release: Release, folder: Path) -> None:
    each_change_is_transferred_once(release, folder, keyless=True)


def notified_without_a_change(release: Release, folder: Path) -> None:
    pair = Refreshing(folder, release)
    with pair.run():
        for _ in range(2):
            before = pair.notifies()
            pair.restart()
            pair.await_notify(before + 1)
            pair.await_checks(2)
        assert pair.transfers() == 1


def notified_by_another_address(release: Release, folder: Path) -> None:
    pair = Refreshing(folder, release, primary="127.0.0.2")
    with pair.run():
        before = pair.notifies()
        pair.restart()  # PowerDNS may have asked by itself before the first NOTIFY was repeated
        pair.await_notify(before + 1)
        assert "from 127.0.0.2" in pair.secondary_log()
        assert not pair.says("answered REFUSED")


class Story(NamedTuple):
    """What is to happen with a secondary of this version."""

    tell: Callable[[Release, Path], None]
    release: Release


TOLD: Final = "story"
EACH_CHANGE: Final = [Story(tell, one) for one in POWERDNS for tell in (with_tsig, by_address)]


def about(*stories: Story) -> pytest.MarkDecorator:
    """The parameter of a test that holds these."""
    ids = [f"{story.release}-{story.tell.__name__}" for story in stories]
    return pytest.mark.parametrize(TOLD, stories, ids=ids)


@pytest.fixture(scope="module")
def endings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Story, Future[None]]]:
    """How the stories of all tests that are run end. They happen at the same time, each with
    servers of its own, for all that they take is refreshes to wait for."""
    here = (
        item
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module
    )
    stories = [cast(Story, item.callspec.params[TOLD]) for item in here]
    present = [story for story in stories if story.release.present()]
    with ThreadPoolExecutor(max(1, len(present))) as pool:
        yield {
            story: pool.submit(story.tell, story.release, tmp_path_factory.mktemp("refresh"))
            for story in present
        }


@about(*EACH_CHANGE)
def test_a_zone_is_transferred_once_for_each_change(
    request: pytest.FixtureRequest, story: Story
) -> None:
    ends_well(request, story)


@about(*(Story(notified_without_a_change, release) for release in POWERDNS))
def test_notify_without_a_change_brings_no_transfer(
    request: pytest.FixtureRequest, story: Story
) -> None:
    """A server that starts notifies of everything, for it does not know what secondaries have."""
    ends_well(request, story)


@about(*(Story(notified_by_another_address, release) for release in POWERDNS))
def test_notify_leaves_from_the_address_that_the_secondary_knows(
    request: pytest.FixtureRequest, story: Story
) -> None:
    """The kernel would choose another, from which PowerDNS refuses it."""
    ends_well(request, story)


def ends_well(request: pytest.FixtureRequest, story: Story) -> None:
    story.release.require()
    endings: dict[Story, Future[None]] = request.getfixturevalue("endings")
    endings[story].result()
