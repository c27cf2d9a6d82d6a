"""What the sources of a project may read, and how much, as its ``lzc.toml`` says."""

from __future__ import annotations

import glob
import os
from operator import attrgetter
from pathlib import Path

from lzc.config import Config
from lzc.source.limits import KINDS, Limits
from lzc.source.reach import Guarded, Reach


def reach_of(config: Config) -> Reach:
    """What zone files may read: what lies in and below the folders of the sources and those of
    ``include-from``, and right beside the former, but no secret, key, bundle, or configuration."""
    folders = [*map(config.path, map(fixed_part, config.build.sources))]
    named = [section.source for section in config.zone.values() if section.source is not None]
    folders += [config.path(source).parent for source in named]
    root = os.path.realpath(config.folder)
    below = [real for real in map(os.path.realpath, folders) if Path(real).is_relative_to(root)]
    above = [str(Path(real).parent) for real in below if real != root]
    listed = [os.path.realpath(config.path(name)) for name in config.build.include_from]
    return Reach(
        root,
        tuple(dict.fromkeys([*below, *listed])),
        tuple(dict.fromkeys([root, *above])),
        tuple(_guarded(config)),
        tuple(config.build.include_from),
    )


def limits_of(config: Config) -> Limits:
    """How much a zone, and all of a build, may take."""
    of_kinds = attrgetter(*KINDS)
    return Limits(of_kinds(config.build.zone_limits), of_kinds(config.build.total_limits))


def fixed_part(pattern: str) -> str:
    """The folder that a glob starts from: what stands before its first wildcard."""
    fixed: list[str] = []
    for part in pattern.split("/")[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return "/".join(fixed) or ("/" if pattern.startswith("/") else "")


def _guarded(config: Config) -> list[Guarded]:
    files = [Guarded.at(path, what) for path, what in config.secret_files()]
    return [
        *files,
        *(Guarded.at(config.path(name), "the configuration") for name in ("lzc.toml", config.file)),
        Guarded.at(config.keystore, "the keystore", is_folder=True),
        Guarded.at(config.output, "the folder of bundles", is_folder=True),
    ]
