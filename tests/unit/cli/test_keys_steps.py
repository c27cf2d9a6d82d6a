"""``lzc keys show``, ``status``, ``publish``, ``activate``, ``retire``, ``remove`` and ``revoke``,
and taking over records of another operator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from lzc.dnssec.key import SigningKey
from lzc.dnssec.keystore.changes import AUDIT
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.sync_records import dnskey_text
from lzc.wire import name
from tests.unit.command_line import lzc

ZONE = name.from_text("example.org.")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "lzc.toml").write_text('[dnssec]\nkeystore = "keys"\nalgorithm = 15\n')
    done(keys(tmp_path, "generate", "example.org"))
    return tmp_path


def keys(project: Path, verb: str, *arguments: str) -> Result:
    return lzc(project, "keys", verb, *arguments)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def only(project: Path) -> SigningKey:
    (key,) = Keystore(project / "keys").load(ZONE)
    return key


def shown(project: Path, verb: str, *arguments: str) -> Any:
    return json.loads(done(keys(project, verb, *arguments, "--format", "json")))


def test_a_key_is_shown_with_all_that_is_public(project: Path) -> None:
    key = only(project)
    found = shown(project, "show", "example.org", str(key.tag))
    assert found["tag"] == key.tag
    assert found["dnskey"] == dnskey_text("example.org.", key.dnskey)
    assert found["cdnskey"] == dnskey_text("example.org.", key.dnskey, "CDNSKEY")
    assert [line.split()[5] for line in found["ds"]] == ["2", "4"]
    assert [line.split()[2] for line in found["cds"]] == ["CDS", "CDS"]
    assert (found["does"], found["phase"]) == ("signs everything", "active")
    assert list(found["dates"]) == ["created", "publish", "activate"]
    assert [Path(file).suffix for file in found["files"]] == [".key", ".private"]
    text = done(keys(project, "show", "example.org", f"15+{key.tag}"))
    for part in (found["dnskey"], *found["ds"], "Activate:", "min ago", ".private"):
        assert part in text


def test_a_key_that_is_not_there_is_told_with_those_that_are(project: Path) -> None:
    tag = only(project).tag
    result = keys(project, "show", "example.org", "1")
    assert result.exit_code == 1
    assert f"has no key with tag 1; it has {tag}" in result.stderr


def test_the_status_says_what_each_key_does_and_what_comes(project: Path) -> None:
    first = only(project)
    done(keys(project, "generate", "example.org", "--add", "--policy", "ksk-zsk"))
    done(keys(project, "retire", "example.org", str(first.tag), "--at", "+3d"))
    (found,) = shown(project, "status")
    assert found["zone"] == "example.org."
    assert found["warnings"] == []
    rows = {key["tag"]: key for key in found["keys"]}
    assert rows[first.tag]["next_phase"] == "retired"
    assert {row["does"] for row in rows.values()} == {
        "signs DNSKEY, CDS and CDNSKEY",
        "signs all but DNSKEY",
    }
    text = done(keys(project, "status", "example.org"))
    assert "(in 2 days)" in text or "(in 3 days)" in text


def test_the_status_warns_of_an_end(project: Path) -> None:
    tag = str(only(project).tag)
    done(keys(project, "retire", "example.org", tag, "--at", "+3d", "--force"))
    (found,) = shown(project, "status", "example.org")
    assert "has no active key from" in found["warnings"][0]
    done(keys(project, "retire", "example.org", tag, "--at", "never"))
    (found,) = shown(project, "status", "example.org")
    assert found["warnings"] == []


@pytest.mark.parametrize("step", ["retire", "remove", "revoke"])
def test_the_last_key_stays_without_force(project: Path, step: str) -> None:
    key = only(project)
    result = keys(project, step, "example.org", str(key.tag), "--at", "+1d")
    assert result.exit_code == 1
    assert "[last-key]" in result.stderr
    assert only(project) == key
    done(keys(project, step, "example.org", str(key.tag), "--at", "+1d", "--force"))
    assert only(project) != key


def test_all_steps_of_a_life(project: Path) -> None:
    old = only(project)
    (new,) = shown(project, "generate", "example.org", "--add")
    tag = str(new["tag"])
    done(keys(project, "activate", "example.org", tag, "--at", "never"))
    assert shown(project, "show", "example.org", tag)["state"] == "published"
    done(keys(project, "publish", "example.org", tag, "--at", "+1h"))
    assert shown(project, "show", "example.org", tag)["state"] == "hidden"
    text = done(keys(project, "activate", "example.org", tag))
    assert "Publish is" in text
    assert "give the parent its DS" in text
    done(keys(project, "retire", "example.org", str(old.tag)))
    text = done(keys(project, "remove", "example.org", str(old.tag)))
    assert "its files are in " in text
    (folder,) = (project / "keys" / "removed").iterdir()
    assert {file.suffix for file in folder.iterdir()} == {".key", ".private"}
    assert str(only(project).tag) == tag
    lines = [json.loads(line) for line in (project / "keys" / AUDIT).read_text().splitlines()]
    said = [(line["did"].split()[0], line["tags"]) for line in lines]
    assert said == [
        ("generated", [old.tag]),
        ("generated", [new["tag"]]),
        ("activate", [new["tag"]]),
        ("publish", [new["tag"]]),
        ("activate", [new["tag"]]),
        ("retire", [old.tag]),
        ("remove", [old.tag]),
    ]
    assert lines[-1]["command"] == f"lzc keys remove example.org {old.tag}"


def test_a_key_that_signs_is_not_taken_out(project: Path) -> None:
    old = only(project)
    done(keys(project, "generate", "example.org", "--add"))
    result = keys(project, "remove", "example.org", str(old.tag))
    assert "[key-in-use]" in result.stderr
    done(keys(project, "remove", "example.org", str(old.tag), "--force", "--purge"))
    assert not list((project / "keys").glob(f"**/*{old.tag:05}*"))


def test_a_revoked_key_has_another_tag(project: Path) -> None:
    old = only(project)
    done(keys(project, "generate", "example.org", "--add"))
    (found,) = shown(project, "revoke", "example.org", str(old.tag))
    assert found["tag"] == old.tag
    assert found["key"]["tag"] == old.revoked().tag
    assert (found["key"]["state"], found["key"]["ds"]) == ("revoked", "")
    result = keys(project, "activate", "example.org", str(found["key"]["tag"]))
    assert "RFC 5011" in result.stderr
    assert len(done(keys(project, "ds", "example.org")).splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("retire", "example.org"),
        ("retire", "example.org", "x"),
        ("retire", "example.org", "1", "--at", "soon"),
        ("retire", "example.org", "1", "--at", "+3parsecs"),
        ("retire", "example.org", "1", "--purge"),
        ("show", "example.org", "70000"),
        ("import", "example.org", "file", "--public", "--ksk"),
    ],
)
def test_wrong_usage_is_exit_code_2(project: Path, arguments: tuple[str, ...]) -> None:
    assert keys(project, *arguments).exit_code == 2


def test_keys_of_another_operator_are_listed_as_foreign(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "lzc.toml").write_text("")
    done(keys(other, "generate", "example.org", "--policy", "ksk-zsk"))
    theirs = Keystore(other / "keys").load(ZONE)
    file = tmp_path / "theirs"
    file.write_text("".join(dnskey_text("example.org.", key.dnskey) + "\n" for key in theirs))
    done(keys(project, "import", "example.org", str(file), "--public"))
    rows = shown(project, "list", "example.org")
    assert sorted((row["state"], row["role"]) for row in rows) == [
        ("active", "CSK"),
        ("foreign", "KSK"),
        ("foreign", "ZSK"),
    ]
    (found,) = shown(project, "status", "example.org")
    does = {row["does"] for row in found["keys"] if row["phase"] == "foreign"}
    assert does == {"of another operator; in the zone"}


def test_what_powerdns_is_to_publish_comes_with_the_keys(project: Path) -> None:
    with (project / "lzc.toml").open("a") as file:
        file.write('publish-cds = "2,4"\npublish-cdnskey = true\n')
    folder = str(project / "exported")
    text = done(keys(project, "export", "example.org", "--format", "powerdns", "-o", folder))
    assert text.splitlines()[1:] == [
        "pdnsutil set-publish-cds example.org 2,4",
        "pdnsutil set-publish-cdnskey example.org",
    ]


def test_a_policy_makes_its_keys(project: Path) -> None:
    with (project / "lzc.toml").open("a") as file:
        file.write('policy = "ours"\n[policy.ours]\nkeys = "ksk-zsk"\nalgorithm = 13\n')
        file.write('[zone."example.com"]\npolicy = "csk"\n')
    assert [row["role"] for row in shown(project, "generate", "example.net")] == ["KSK", "ZSK"]
    (row,) = shown(project, "generate", "example.com")
    assert (row["role"], row["algorithm_number"]) == ("CSK", 15)
    rows = shown(project, "generate", "example.edu", "--policy", "ours", "--algorithm", "16")
    assert {row["algorithm"] for row in rows} == {"ED448"}
    assert keys(project, "generate", "example.info", "--policy", "our").exit_code == 2


def test_an_algorithm_that_is_not_recommended_is_warned_of(project: Path) -> None:
    result = keys(project, "generate", "example.net", "--algorithm", "RSASHA512")
    assert "[algorithm-not-recommended]" in result.stderr
    assert done(result)
