"""What ldns-signzone and kzonesign added to a zone is dropped with
``strip-dnssec = true``, and nothing else is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from lzc import config
from lzc.bundle import current
from lzc.compiler import pipeline
from tests.peers._peers import find, require
from tests.peers.test_presigned import TEXT, ZONE

PLAIN: Final = f"$ORIGIN {ZONE}\n" + re.sub("Mail|UPPER|Www", lambda found: found[0].lower(), TEXT)
"""Knot DNS writes all names in lower case."""


def run(folder: Path, program: str, *arguments: str) -> str:
    found = find(program)
    assert found is not None
    done = subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def by_ldns(*options: str) -> Callable[[Path], Path]:
    def sign(folder: Path) -> Path:
        require("ldns-keygen", "ldns-signzone")
        (folder / "plain").write_text(PLAIN)
        key = run(folder, "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", ZONE).strip()
        run(folder, "ldns-signzone", *options, "-o", ZONE, "-f", "signed", "plain", key)
        return folder / "signed"

    return sign


def by_kzonesign(*lines: str) -> Callable[[Path], Path]:
    def sign(folder: Path) -> Path:
        require("kzonesign")
        (folder / "database").mkdir()
        (folder / "signed").mkdir()
        (folder / f"{ZONE}zone").write_text(PLAIN)
        policy = "".join(f"    {line}\n" for line in ("algorithm: ecdsap256sha256", *lines))
        (folder / "knot.conf").write_text(
            f"database:\n  storage: {folder}/database\npolicy:\n  - id: p\n{policy}zone:\n"
            f"  - domain: {ZONE}\n    storage: {folder}\n    file: {ZONE}zone\n"
            "    dnssec-signing: on\n    dnssec-policy: p\n"
        )
        run(folder, "kzonesign", "-c", str(folder / "knot.conf"), "-o", "signed", ZONE)
        (file,) = (folder / "signed").iterdir()
        return file

    return sign


def digest(folder: Path, text: str, *, strip: bool) -> tuple[str, int]:
    """The digest of a zone that is built from a file, and how many records it has."""
    (folder / "zones").mkdir(parents=True)
    (folder / "zones" / f"{ZONE}zone").write_text(text)
    settings = f'[zone."{ZONE}"]\nstrip-dnssec = {str(strip).lower()}\n'
    (folder / "lzc.toml").write_text(f'[build]\nsources = ["zones/*.zone"]\n{settings}')
    pipeline.build(config.load(folder / "lzc.toml"))
    with current.open_live(folder / "build") as bundle:
        (info,) = bundle.zones()
        return info.digest, info.records


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(by_ldns(), id="ldns nsec"),
        pytest.param(by_ldns("-n", "-s", "aabb", "-t", "3"), id="ldns nsec3"),
        pytest.param(by_ldns("-n", "-p"), id="ldns opt-out"),
        pytest.param(by_kzonesign(), id="knot nsec"),
        pytest.param(by_kzonesign("nsec3: on", "nsec3-opt-out: on"), id="knot nsec3"),
    ],
)
def test_what_a_signer_added_is_dropped(tmp_path: Path, sign: Callable[[Path], Path]) -> None:
    (tmp_path / "signer").mkdir()
    text = sign(tmp_path / "signer").read_text()
    assert "RRSIG" in text
    plain = digest(tmp_path / "plain", PLAIN, strip=False)
    assert plain[1] > 20
    assert digest(tmp_path / "stripped", text, strip=True) == plain
