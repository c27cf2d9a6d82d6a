"""What is said where a bundle cannot be used, and the way out: a build into the folder that was
looked at, or a copy, where that is no folder of bundles but one bundle."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lzc.bundle.manifest import ID, MANIFEST, BundleError, NoBundle, OtherFormat
from lzc.faults import InputError

_DAMAGED = "answers from a damaged bundle could be wrong in any way"


@contextmanager
def usable(place: Path, config_path: Path, *, given: bool = False) -> Iterator[None]:
    """Makes a `BundleError` an `InputError`. ``place`` is what is to be used: the output folder of
    the configuration, or what the operator has ``given`` instead of it."""
    try:
        yield
    except BundleError as error:
        rule, why, fix = _told(error, place, config_path, given)
        raise InputError.at(place, rule, str(error), why, fix) from error


def _told(error: BundleError, place: Path, config_path: Path, given: bool) -> tuple[str, str, str]:
    """Rule, why and fix."""
    other, unusable = isinstance(error, OtherFormat), "bundle-unusable"
    if given and _is_one_bundle(place):
        if other:
            why = "another version of lzc wrote it, and can read it"
            return unusable, why, "name another bundle, or the folder that it is in"
        fix = "copy the bundle again from where it was built, or name another"
        return unusable, _DAMAGED, fix
    build = _build(place, config_path, given=given)
    if isinstance(error, NoBundle):
        return "no-bundle", "", f"run: {build}"
    if other:
        fix = f"run: {build}, which reads the serials of any format and goes on from them"
        return unusable, "another version of lzc wrote it", fix
    fix = (
        f"run: {build}, which replaces it and goes on from its serials; or copy the bundle"
        " again from where it was built"
    )
    return unusable, _DAMAGED, fix


def _is_one_bundle(path: Path) -> bool:
    return bool(ID.fullmatch(Path(os.path.realpath(path)).name)) or (path / MANIFEST).exists()


def _build(output: Path, config_path: Path, *, given: bool) -> str:
    """The command that makes a bundle there, as it is typed in the working directory."""
    words = ["lzc", "build"]
    if config_path.absolute() != Path("lzc.toml").absolute():
        words += ["-c", str(config_path)]
    if given:
        words += ["-o", str(output)]
    return shlex.join(words)
