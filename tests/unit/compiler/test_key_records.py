"""Records at the apex that are made of keys: CDS and CDNSKEY where they are wanted, those of other
operators (RFC 8901), and the DNSKEYs of keys as they are at the time."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from lzc.bundle import current
from lzc.dnssec.ds import ds_rdata
from lzc.dnssec.key import KSK_FLAGS, SigningKey
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.dnssec.sync_records import cds_text, dnskey_text
from lzc.wire import name
from lzc.wire import rrtype as rr
from tests.unit.command_line import HEAD, lzc

ZONE = name.from_text("example.net.")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "example.net.zone").write_text(HEAD)
    write(tmp_path)
    done(tmp_path, "keys", "generate", "example.net", "--policy", "ksk-zsk")
    return tmp_path


def write(project: Path, dnssec: str = "", zone: str = "", more: str = "") -> None:
    (project / "lzc.toml").write_text(
        '[build]\nsources = ["zones/*.zone"]\nserial = "increment"\n'
        f'[dnssec]\nalgorithm = 15\n{dnssec}\n[zone."example.net"]\ndnssec = true\n{zone}\n{more}'
    )


def done(project: Path, command: str, *arguments: str) -> str:
    result = lzc(project, command, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def built(project: Path) -> int:
    """Build; the serial that the zone has."""
    done(project, "build")
    with current.open_live(project / "build") as bundle:
        view = bundle.zone(ZONE)
        assert view is not None
        return view.info.serial


def asked(project: Path, rrtype: str) -> set[str]:
    """The RDATA of an RRset, as it is answered with its signatures, without blanks."""
    text = done(project, "query", "example.net", rrtype, "--dnssec")
    found = re.findall(rf"^example\.net\.\s+\d+\s+IN\s+{rrtype}\s+(.*)$", text, re.MULTILINE)
    return {re.sub(r"\s", "", one) for one in found}


def squeezed(record: str) -> str:
    """The RDATA of a record of ours, in the same way."""
    return "".join(record.split()[3:])


def ksk(project: Path) -> SigningKey:
    return next(key for key in Keystore(project / "keys").load(ZONE) if key.is_sep)


def types_at_the_apex(project: Path) -> set[str]:
    text = done(project, "query", "example.net", "TYPE65280", "--dnssec")
    found = re.search(r"IN\s+NSEC\s+\S+\s+(.*)$", text, re.MULTILINE)
    assert found is not None
    return set(found[1].split())


def test_there_are_no_cds_records_unless_they_are_wanted(project: Path) -> None:
    built(project)
    assert asked(project, "CDS") == asked(project, "CDNSKEY") == set()
    assert types_at_the_apex(project) == {"NS", "SOA", "RRSIG", "NSEC", "DNSKEY"}


@pytest.mark.parametrize("where", ["dnssec", "zone", "policy"])
def test_the_ksk_is_named_where_it_is_wanted(project: Path, where: str) -> None:
    serial = built(project)
    wanted = 'publish-cds = "2,4"\npublish-cdnskey = true'
    more = f"[policy.ours]\n{wanted}" if where == "policy" else ""
    write(
        project,
        dnssec=wanted if where == "dnssec" else "",
        zone={"zone": wanted, "policy": 'policy = "ours"', "dnssec": ""}[where],
        more=more,
    )
    # No transfer carries what was new.
    assert built(project) == serial
    key = ksk(project)
    records = [ds_rdata(ZONE, key.dnskey, digest) for digest in (2, 4)]
    assert asked(project, "CDS") == {squeezed(cds_text("x.", one)).lower() for one in records}
    assert asked(project, "CDNSKEY") == {squeezed(dnskey_text("x.", key.dnskey))}
    assert types_at_the_apex(project) >= {"CDS", "CDNSKEY"}
    write(project, dnssec=wanted, zone='publish-cds = ""\npublish-cdnskey = false')
    built(project)
    assert asked(project, "CDS") == set()


def test_hashes_of_the_apex_list_what_asks_the_parent(project: Path) -> None:
    """With the denial of a policy."""
    wanted = 'denial = "nsec3"\nnsec3-salt = "ab"\npublish-cds = "2"\npublish-cdnskey = true'
    write(project, zone='policy = "ours"', more=f"[policy.ours]\n{wanted}\n")
    built(project)
    text = done(project, "query", "example.net", "TYPE65280", "--dnssec")
    found = re.search(r"IN\s+NSEC3\s+1 0 0 ab \S+ (.*)$", text, re.MULTILINE | re.IGNORECASE)
    assert found is not None
    expected = {"NS", "SOA", "RRSIG", "DNSKEY", "NSEC3PARAM", "CDS", "CDNSKEY"}
    assert set(found[1].split()) == expected
    write(project, zone='policy = "ours"\ndenial = "nsec"', more=f"[policy.ours]\n{wanted}\n")
    built(project)
    assert types_at_the_apex(project) >= {"NSEC", "CDS", "CDNSKEY"}


def test_the_parent_is_asked_to_take_all_away_and_nothing_else(project: Path) -> None:
    zone = project / "zones" / "example.net.zone"
    zone.write_text(HEAD + f"@ CDS 1 13 2 {'AB' * 32}\n")
    write(project, zone='publish-cds = "delete"\npublish-cdnskey = true')
    built(project)
    assert asked(project, "CDS") == {"00000"}
    assert asked(project, "CDNSKEY") == {"030AA=="}


def test_what_other_operators_have_is_served_transferred_and_kept(
    project: Path, tmp_path: Path
) -> None:
    serial = built(project)
    theirs = Keystore(tmp_path / "theirs")
    csk, own = theirs.generate(ZONE, 15, (KSK_FLAGS, 256), time.time())
    lines = [dnskey_text("example.net.", key.dnskey) for key in (csk, own)]
    lines += [cds_text("example.net.", ds_rdata(ZONE, csk.dnskey))]
    (tmp_path / "their-records").write_text("\n".join(lines) + "\n")
    done(project, "keys", "import", "example.net", str(project / "their-records"), "--public")
    assert built(project) == serial + 1
    keys = {squeezed(dnskey_text("x.", key.dnskey)) for key in (csk, own)}
    assert len(asked(project, "DNSKEY")) == 4
    assert keys < asked(project, "DNSKEY")
    assert asked(project, "CDS") == {squeezed(lines[2]).lower()}
    with current.open_live(project / "build") as bundle:
        view = bundle.zone(ZONE)
        assert view is not None
        assert len(view.info.keys) == 2
        transferred = view.info.records
    done(project, "keys", "remove", "example.net", str(own.tag))
    assert built(project) == serial + 2
    with current.open_live(project / "build") as bundle:
        view = bundle.zone(ZONE)
        assert view is not None
        assert view.info.records == transferred - 1
    # Our own keys are named beside theirs.
    write(project, zone='publish-cds = "2"')
    built(project)
    assert len(asked(project, "CDS")) == 2
    assert rr.CDS == 59


def test_a_powerdns_secondary_is_told_what_it_needs_for_them(project: Path, tmp_path: Path) -> None:
    write(project, more='[tsig.k]\nsecret = "AAAA"\n[[secondary]]\nname = "ns2"\n'
        'address = "127.0.0.1:53"\nsoftware = "powerdns-5.1"\ntsig = "k"\n')  # fmt: skip
    theirs = Keystore(tmp_path / "theirs")
    (key,) = theirs.generate(ZONE, 15, FLAGS["csk"], time.time())
    (tmp_path / "record").write_text(dnskey_text("example.net.", key.dnskey))
    done(project, "keys", "import", "example.net", str(project / "record"), "--public")
    found = json.loads(done(project, "check", "--format", "json"))
    assert "direct-dnskey" in json.dumps(found)


def test_a_revoked_key_is_in_the_zone_as_such(project: Path) -> None:
    built(project)
    old = ksk(project)
    done(project, "keys", "generate", "example.net", "--add", "--ksk")
    done(project, "keys", "revoke", "example.net", str(old.tag))
    built(project)
    flags = sorted(record[:3] for record in asked(project, "DNSKEY"))
    assert flags == ["256", "257", "385"]
    text = done(project, "query", "example.net", "DNSKEY", "--dnssec")
    tags = {int(one) for one in re.findall(r"RRSIG\s+DNSKEY.*?\d{14} \d{14} (\d+) ", text)}
    assert old.revoked().tag in tags
    assert len(tags) == 2


def test_the_ttl_of_keys_is_that_of_their_policy(project: Path) -> None:
    write(project, zone='policy = "ours"', more='[policy.ours]\ndnskey-ttl = "2h"\n')
    built(project)
    text = done(project, "query", "example.net", "DNSKEY")
    assert re.search(r"^example\.net\.\s+7200\s+IN\s+DNSKEY", text, re.MULTILINE)
