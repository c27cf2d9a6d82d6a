"""States of the keys of a project in which lzc names a command, without a server. As in
`told_building`."""

from __future__ import annotations

import calendar
import re
import shutil
import time
from pathlib import Path

from tests.unit.following import ZONE, Operator
from tests.unit.told_building import Text

DAY = 86400


def stamp(moment: float) -> str:
    """A moment as key files have it."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(moment))


def date_keys(operator: Operator, name: str, days: float) -> None:
    """Give all keys a date that is so many days from now."""
    date_files(operator, {name: days}, *operator.folder.glob("keys/K*.private"))


def date_files(operator: Operator, days: dict[str, float], *files: Path) -> None:
    """As `date_keys`, for some files and dates; what they had under these names is replaced."""
    for file in files:
        lines = [
            line for line in file.read_text().splitlines() if line.partition(":")[0] not in days
        ]
        lines += [f"{name}: {stamp(time.time() + far * DAY)}" for name, far in days.items()]
        file.write_text("\n".join(lines) + "\n")


def lose_the_keys(operator: Operator) -> None:
    shutil.rmtree(operator.folder / "keys")


def missing_keys(operator: Operator, text: Text) -> None:
    operator.project()
    lose_the_keys(operator)
    operator.follow("lzc build", text)


def missing_keys_that_are_elsewhere(operator: Operator, text: Text) -> None:
    """They were copied to another server."""
    operator.project()
    operator.succeed(f"lzc keys export {ZONE} -o there")
    (file,) = operator.folder.glob("there/K*.private")
    lose_the_keys(operator)
    operator.file = str(file.relative_to(operator.folder))
    operator.follow("lzc build", text)
    assert {one.name for one in operator.folder.glob("keys/K*.private")} == {file.name}


def inactive_keys_that_are_right(operator: Operator, text: Text) -> None:
    operator.project()
    date_keys(operator, "Inactive", -1)
    operator.follow("lzc build", text, way=1)
    assert len([*operator.folder.glob("keys/K*.private")]) == 1


def ending_keys_that_are_right(operator: Operator, text: Text) -> None:
    operator.project()
    date_keys(operator, "Inactive", 5)
    operator.follow("lzc build", text, way=1)
    assert len([*operator.folder.glob("keys/K*.private")]) == 1


def last_key(operator: Operator, text: Text) -> None:
    operator.project()
    (file,) = operator.folder.glob("keys/K*.private")
    operator.follow(f"lzc keys retire {ZONE} {int(file.stem[-5:])}", text)


def key_in_use(operator: Operator, text: Text) -> None:
    operator.project()
    operator.succeed(f"lzc keys generate {ZONE} --add")
    tag = int(min(operator.folder.glob("keys/K*.private")).stem[-5:])
    operator.follow(f"lzc keys remove {ZONE} {tag}", text)


def unused_key(operator: Operator, text: Text) -> None:
    operator.project()
    said = operator.run("lzc keys generate misspelt.example")
    assert text.search(said.text)
    command = said.text.rpartition("or else: ")[2].splitlines()[0]
    operator.succeed(command)
    assert not [*operator.folder.glob("keys/Kmisspelt*")]


def inactive_keys(operator: Operator, text: Text) -> None:
    operator.project()
    date_keys(operator, "Inactive", -1)
    operator.follow("lzc build", text)


def ending_keys(operator: Operator, text: Text) -> None:
    operator.project()
    date_keys(operator, "Inactive", 5)
    operator.follow("lzc build", text)
    assert any(command.startswith("lzc keys ds") for command in operator.done)


def heirs(operator: Operator) -> None:
    """The key of the bundle retires in five days; one that it lacks is published in two."""
    operator.project()
    (first,) = operator.folder.glob("keys/K*.private")
    operator.succeed(f"lzc keys generate {ZONE} --add")
    (second,) = {*operator.folder.glob("keys/K*.private")} - {first}
    date_files(operator, {"Inactive": 5}, first)
    date_files(operator, {"Publish": 2, "Activate": 3}, second)


def keys_that_take_over_later(operator: Operator, text: Text) -> None:
    heirs(operator)

    def wait(words: str) -> None:
        found = re.search(r"between (\S+ \S+) UTC and", words)
        assert found
        operator.wait_for(calendar.timegm(time.strptime(found[1], "%Y-%m-%d %H:%M")) + 60)

    operator.hands["between"] = wait
    operator.follow("lzc build", text)


def no_key_in_use(operator: Operator, text: Text) -> None:
    operator.project()
    lose_the_keys(operator)
    operator.succeed(f"lzc keys generate {ZONE}")
    date_keys(operator, "Delete", -1)
    operator.follow(f"lzc keys ds {ZONE}", text)
    operator.succeed("lzc build")


def key_in_use_again(operator: Operator, text: Text) -> None:
    operator.project()
    date_keys(operator, "Delete", -1)
    operator.follow(f"lzc keys ds {ZONE}", text, way=1)
    operator.succeed("lzc build")
    assert len([*operator.folder.glob("keys/K*.private")]) == 1


def no_key_in_use_of_that_configuration(operator: Operator, text: Text) -> None:
    operator.succeed("lzc init deep")
    operator.follow("lzc keys ds -c deep/lzc.toml example.org", text)


def damaged_key(operator: Operator, text: Text) -> None:
    def remove(_: str) -> None:
        for file in operator.folder.glob("keys/K*"):
            file.unlink()

    operator.project()
    operator.hands["remove what is left"] = remove
    for damage in ("private", "key"):
        for file in operator.folder.glob(f"keys/K*.{damage}"):
            file.chmod(0o600)
            file.write_text("damaged\n")
        operator.follow("lzc check", text)
