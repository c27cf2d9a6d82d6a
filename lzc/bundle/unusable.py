"""What is said where a bundle cannot be used, and the way out: a build into the folder that was
looked at, or a copy, where that is no folder of bundles but one bundle."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from lzc.bundle.manifest import ID, MANIFEST, BundleError, NoBundle, OtherFormat
from lzc.faults import Fault, InputError, Place


def unusable(
    place: Path, error: BundleError, config_path: Path, *, given: bool = False
) -> InputError:
    """The fault to raise for a bundle that cannot be used. ``place`` is what was to be used: the
    output folder of the configuration, or what the operator has ``given`` instead of it."""
    if given and _is_one_bundle(place):
        return InputError(_of_one(place, error))
    build = _build(place, config_path, given=given)
    where = Place(str(place))
    if isinstance(error, NoBundle):
        return InputError.at(where, "no-bundle", str(error), fix=f"run: {build}")
    if isinstance(error, OtherFormat):
        why = "another version of lzc wrote it"
        fix = f"run: {build}, which reads the serials of any format and goes on from them"
    else:
        why = "answers from a damaged bundle could be wrong in any way"
        fix = (
            f"run: {build}, which replaces it and goes on from its serials; or copy the bundle"
            " again from where it was built"
        )
    return InputError.at(where, "bundle-unusable", str(error), why, fix)


def _of_one(place: Path, error: BundleError) -> Fault:
    if isinstance(error, OtherFormat):
        why = "another version of lzc wrote it, and can read it"
        fix = "name another bundle, or the folder that it is in"
    else:
        why = "answers from a damaged bundle could be wrong in any way"
        fix = "copy the bundle again from where it was built, or name another"
    return Fault(Place(str(place)), "bundle-unusable", str(error), why, fix)


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
