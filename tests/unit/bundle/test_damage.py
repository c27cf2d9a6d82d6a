"""A damaged bundle is never served: every change to any file is found and the file is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lzc.bundle import current, manifest
from lzc.bundle.reader import Bundle, BundleError
from tests.unit.compiling import write_bundle

CONTENT = (manifest.CHECKS, *manifest.shard_files(0))
FILES = (manifest.MANIFEST, *CONTENT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bundle(tmp_path, {"example.org": "www A 192.0.2.2\n", "example.com": ""})
    return current.live(tmp_path)


def _open(folder: Path) -> None:
    """Open as a server does, which would trust a stamp."""
    Bundle.open(folder, verified_dir=current.verified_dir(folder.parent)).close()


def test_an_undamaged_bundle_opens(folder: Path) -> None:
    _open(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_found(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    step = max(1, len(content) // 40)
    for position in [*range(0, len(content), step), len(content) - 1]:
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(BundleError, match=name):
            _open(folder)
    path.write_bytes(content)
    _open(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_grown_or_missing_file_is_found(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    for damaged in (content[:-1], b"", content + b"\x00"):
        path.write_bytes(damaged)
        with pytest.raises(BundleError, match=name):
            _open(folder)
    path.unlink()
    with pytest.raises(BundleError, match=name):
        _open(folder)


def test_a_file_too_many_is_found(folder: Path) -> None:
    (folder / "extra").write_text("x")
    with pytest.raises(BundleError, match=r"extra: does not belong"):
        _open(folder)


@pytest.mark.parametrize("name", CONTENT)
def test_a_link_in_place_of_a_file_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "same-content"
    (folder / name).rename(elsewhere)
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(BundleError, match=rf"{name}: is not a regular file"):
        _open(folder)


def test_a_renamed_bundle_is_refused(folder: Path) -> None:
    other = folder.with_name("0" * 32)
    folder.rename(other)
    with pytest.raises(BundleError, match="named by its id"):
        _open(other)


def _forge(folder: Path, document: object) -> Path:
    """A bundle whose manifest is consistent with its id, but not what a build writes."""
    encoded = json.dumps(document).encode()
    forged = folder.with_name(manifest.bundle_id(encoded))
    shutil.copytree(folder, forged)
    (forged / manifest.MANIFEST).write_bytes(encoded)
    return forged


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), 1, "bundle format 1"),
        (("files", "../../etc/passwd"), {"sha256": "0" * 64, "size": 1}, "unexpected file"),
        (("files", "/etc/passwd"), {"sha256": "0" * 64, "size": 1}, "unexpected file"),
        (("files", "zones-00.lmdb"), {"sha256": "zz", "size": 1}, "no SHA-256"),
        (("files", "zones-00.lmdb"), {"size": 1}, "not a manifest"),
        (("files",), [], "not a manifest"),
        (("files",), {}, "names no checks.json"),
    ],
)
def test_a_manifest_that_no_build_writes_is_refused(
    folder: Path, path: tuple[str, ...], value: object, message: str
) -> None:
    document = json.loads((folder / manifest.MANIFEST).read_bytes())
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(BundleError, match=message):
        _open(_forge(folder, document))


@pytest.mark.parametrize("document", [None, [], 7, "text"])
def test_a_manifest_that_is_no_object_is_refused(folder: Path, document: object) -> None:
    with pytest.raises(BundleError, match="not a manifest"):
        _open(_forge(folder, document))


@pytest.mark.parametrize("text", ["", "null", "[[]]", "[1,", '"x"', '{"zones-00.lmdb": 1}'])
def test_a_broken_stamp_only_costs_another_verification(folder: Path, text: str) -> None:
    stamp = current.verified_dir(folder.parent) / folder.name
    stamp.write_text(text)
    _open(folder)
    assert json.loads(stamp.read_text())


def test_checks_that_are_none_are_refused(folder: Path) -> None:
    path = folder / manifest.CHECKS
    path.write_text('[{"nonsense": 1}]')
    document = json.loads((folder / manifest.MANIFEST).read_bytes())
    from lzc.bundle.verification import sha256_of

    document["files"][path.name] = {"sha256": sha256_of(path), "size": path.stat().st_size}
    with pytest.raises(BundleError, match="no list of checks"):
        _open(_forge(folder, document))
