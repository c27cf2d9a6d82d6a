"""What is said where a command cannot use a bundle, and the way out, which is always a build."""

from __future__ import annotations

from pathlib import Path

from lzc.bundle.manifest import BundleError, NoBundle, OtherFormat
from lzc.faults import Fault, InputError, Place


def unusable(place: str | Path, error: BundleError) -> InputError:
    """The fault to raise for a bundle that a command cannot use; ``place`` is what it was asked to
    use."""
    if isinstance(error, NoBundle):
        return InputError([Fault(Place(str(place)), "no-bundle", str(error), fix="run: lzc build")])
    if isinstance(error, OtherFormat):
        why = "another version of lzc wrote it"
        fix = "run: lzc build, which reads the serials of any format and goes on from them"
    else:
        why = "answers from a damaged bundle could be wrong in any way"
        fix = (
            "run: lzc build, which replaces it and goes on from its serials; or copy the bundle"
            " again from where it was built"
        )
    return InputError([Fault(Place(str(place)), "bundle-unusable", str(error), why, fix)])
