"""Every command that a text of lzc names is followed, word for word: what was wrong is right then,
or what is said next leads on. No text leads in a circle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.unit import told_building as building
from tests.unit import told_commands
from tests.unit import told_keys as keys
from tests.unit import told_serving as serving
from tests.unit.following import Operator
from tests.unit.told_building import Text

Scenario = Callable[[Operator, Text], None]


class Told(NamedTuple):
    """The states in which a text is told, and how often it stands in lzc."""

    scenarios: tuple[Scenario, ...]
    places: int = 1


TOLD: Final = {
    "\nNext:\n    lzc keys generate{} {}\n    lzc build{}\n    lzc test{}\n"
    "    lzc query{} {} TXT --from 192.0.2.1\n    lzc serve{}": Told((building.next_steps,)),
    "lzc init {}": Told((building.no_configuration, building.no_configuration_there)),
    "{}, or make one with: {}": Told((building.no_configuration,)),
    # Of a build.
    "lzc build writes it anew; find out what damages files here": Told((building.damaged_serials,)),
    "lzc build replaces it": Told((building.damaged_live_bundle,)),
    "set strip-dnssec = true in {} of lzc.toml, which drops them": Told(
        (building.signatures_in_the_source,)
    ),
    "correct the code; once it is built, this shows what it does: lzc query --explain {} {}": Told(
        (building.lua_that_fails,)
    ),
    "correct the rule's id; lzc check --rules lists them": Told((building.unknown_suppression,)),
    "lzc serial plan {} --apply, which leads to {} in {} that every secondary takes for newer (RFC"
    " 1982), each once they have the one before": Told((building.serial_ahead,)),
    "lzc serial plan {} --to 1 --apply, which has it begin anew, step by step; or --to date, with"
    ' serial = "date"': Told((building.serial_at_its_end,)),
    "lzc serial plan {} --to 1 --apply, which has it begin anew in steps that every secondary takes"
    ' for newer; or --to date, with serial = "date"': Told((building.serial_near_its_end,)),
    "lzc serial plan {} --to {}": Told((building.serial_on_its_way,)),
    "lzc build, and then this again; where serials are kept elsewhere, as in CI, there": Told(
        (building.serial_unknown,)
    ),
    "compare with a secondary: dig @SECONDARY {} SOA; where its serial is greater, set that of the"
    " SOA record to one more and build again": Told((building.lost_serial,)),
    # Of keys, in a build.
    "lzc keys {} -c {} {} {}": Told(
        (
            keys.missing_keys,
            keys.missing_keys_that_are_elsewhere,
            keys.inactive_keys,
            keys.inactive_keys_that_are_right,
            keys.ending_keys,
            keys.ending_keys_that_are_right,
        )
    ),
    "build again between {} and {}": Told((keys.keys_that_take_over_later,)),
    "lzc keys generate -c {} {}": Told(
        (keys.no_key_in_use, keys.no_key_in_use_of_that_configuration)
    ),
    "lzc keys activate -c {} {}": Told((keys.key_in_use_again,)),
    "make another one first: lzc keys generate {} --add; or add --force": Told((keys.last_key,)),
    "lzc keys retire {} {}, and remove it when its signatures are in no cache": Told(
        (keys.key_in_use,)
    ),
    "lzc keys remove -c {} {}": Told((keys.unused_key,)),
    "bring back the key's two files as they were; where they are lost, remove what is left of them,"
    " run lzc keys generate {} and then lzc build, and give the parent the new DS": Told(
        (keys.damaged_key,)
    ),
    # Of bundles.
    "run: {}": Told(
        (
            building.no_bundle,
            building.no_bundle_elsewhere,
            building.no_bundle_of_that_configuration,
        )
    ),
    "run: {}, which replaces it and goes on from its serials; or copy the bundle again from where"
    " it was built": Told((building.damaged_bundle, building.damaged_bundle_elsewhere)),
    "run: {}, which reads the serials of any format and goes on from them": Told(
        (building.other_format,)
    ),
    "{}: bundle format {}; this lzc reads format {}: build again with this version": Told(
        (building.other_format,)
    ),
    "run: lzc build; or make a bundle before it the live one: ln -sfn BUNDLE {}": Told(
        (serving.crashing_bundle,)
    ),
    "{}: opening this bundle crashes the process, so nobody opens it again until its files change"
    " ({}). Its hashes are right, so it was not damaged on its way: build it again with this"
    " version of lzc, and find out who else can write it": Told((serving.crashing_new_bundle,)),
    # Of a server.
    "start it with: lzc serve; or name the socket of the one that runs with --socket": Told(
        (serving.no_server,)
    ),
    "another lzc serve is running here: it answers on this control socket": Told(
        (serving.second_server,)
    ),
    "{} was changed, and lzc serve has to be started again for this to count: {}": Told(
        (serving.settings_changed,)
    ),
    "{} cannot be used, and the next start of lzc serve would fail:\n{}": Told(
        (serving.settings_broken,)
    ),
    "{} with {} after {}: secondaries keep the greater and what it stands for; lzc build gives"
    " serials above all that were handed out": Told((serving.serials_fell,)),
    "NOTHING IS LIVE: current is gone; this bundle is served, but the next start would fail: lzc"
    " build": Told((serving.nothing_live,)),
    "NOT CHECKED {} times an address that checks may not reach, {} times what a query made up; lzc"
    " ctl health has the reasons": Told((serving.not_checked,)),
    "{} {} serial {}: {}{} (see: lzc ctl status){}": Told((serving.refused_notify,)),
    # Of keys, in a server.
    "copy the keys of the build here, or run: lzc build": Told(
        (serving.keys_gone, serving.keys_not_copied)
    ),
    "lzc keys generate {}": Told((serving.keys_inactive,)),
    "{}, then lzc build; or have one sign again: {}": Told((serving.keys_inactive,)),
    "lzc keys activate {} {}": Told((serving.keys_inactive_that_are_right,)),
    "{} --add, then lzc build, and give the parent its DS (lzc keys ds {}); or let these go on: lzc"
    " keys retire {} {} --at never": Told(
        (serving.keys_ending, serving.keys_ending_that_are_right)
    ),
    # Beside it, where a build's faults say that they are of `lzc build`, what `run: {}` shows, and
    # what the status page has beside that nothing is live.
    "lzc build": Told((serving.keys_that_took_over,), 4),
    "lzc build, between {} and {}": Told((serving.keys_that_take_over,)),
    "%d more zones have something wrong with their keys, see: lzc ctl status": Told(
        (serving.keys_of_many,)
    ),
    # Of a test that failed.
    "lzc query": Told((building.failed_test,)),
}

NO_ORDERS: Final = {
    # Where a fault is.
    "lzc ctl": 1,
    "lzc serve": 1,
    # Beside what the status page says is wrong: more of it. What to do is in the texts themselves.
    "lzc ctl health": 5,
    "lzc ctl reload": 1,
    "lzc ctl status": 5,
    "once {} {} {}: {}{}; lzc ctl secondaries says why a secondary has not": 1,
    "SERIAL ENDS {} has {}, {} below the last one: lzc serial plan {}": 1,
    # In the list of rules; the fault itself has the command with what it needs.
    "correct the code, or see what it does with: lzc query": 1,
    "no answer of lzc serve": 1,
    # Where the manual is, which its own tests read.
    "lzc help": 2,
    "lzc help lists them": 1,
    "name the files in [serve]; how they are made: lzc help xot": 1,
    # Followed where the real thing is: a certificate that ends, and a token that does not answer.
    "have it renewed, and reload: lzc ctl reload": 1,
    "see what keeps it; where it is well and lzc serve goes on to say this, restart it, as the"
    " library may never come back from what it was asked for": 1,
    "Chapters of the manual, each shown by: lzc help CHAPTER\n": 1,
    "\nWhat a command takes: lzc COMMAND --help. Manual pages: lzc man -o DIR": 1,
    # Followed where there is a database: the tests of lzc export sql.
    "build first: lzc build": 1,
    "-- TSIG key {}: its secret is not written here, and has to be there. lzc export sql --secrets"
    " writes it.": 1,
    # What the audit log says that somebody ran.
    "lzc keys {} {} {}": 1,
    # Who wrote a file of JUnit's XML.
    "lzc test": 1,
}
"""Texts that tell nobody to run what they name."""


def test_each_text_that_names_a_command_is_in_the_table() -> None:
    places = {text: told.places for text, told in TOLD.items()}
    assert dict(told_commands.texts()) == places | NO_ORDERS


@pytest.mark.parametrize(
    ("text", "scenario"),
    [
        pytest.param(text, scenario, id=f"{scenario.__name__}-{number}")
        for number, (text, told) in enumerate(TOLD.items())
        for scenario in told.scenarios
    ],
)
def test_what_is_told_leads_out(tmp_path: Path, text: str, scenario: Scenario) -> None:
    with Operator(tmp_path) as operator:
        scenario(operator, told_commands.pattern(text))


def test_one_bundle_that_was_given_is_copied_again(tmp_path: Path) -> None:
    with Operator(tmp_path) as operator:
        text = "copy the bundle again from where it was built, or name another"
        building.damaged_copy(operator, told_commands.pattern(text))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("run: lzc build; or make it live", ["lzc build"]),
        ("lzc build, between A and B", ["lzc build"]),
        ("it (lzc keys ds 'a b.example') and", ["lzc keys ds 'a b.example'"]),
        ("lzc keys generate x.example --add, then lzc build, and", None),
        ("set it and build again (RFC 1982)", ["lzc build"]),
        ("correct the file", []),
    ],
)
def test_commands_are_found_in_words(words: str, expected: list[str] | None) -> None:
    both = ["lzc keys generate x.example --add", "lzc build"]
    assert told_commands.commands(words) == (both if expected is None else expected)


def test_a_circle_is_found(tmp_path: Path) -> None:
    """What is told of a command that fails does nothing about it."""
    with Operator(tmp_path) as operator:
        operator.project()
        operator.hands["correct the code"] = lambda _: None
        operator.append('l 60 IN LUA A "return ("\n')
        with pytest.raises(AssertionError, match="a circle"):
            operator.follow("lzc build", told_commands.pattern("is not Lua"))
