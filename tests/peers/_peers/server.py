"""What setting up BIND, NSD and Knot DNS has in common; each has a module that says the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers._peers.process import LOOPBACK, Process, running, wait_for_zone
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET
from tests.peers._peers.releases import OLDEST, Release


@dataclass(frozen=True, slots=True)
class Server:
    """A kind of server: its name, its program with the arguments before that of the configuration
    file, and the parts of this file as templates.

    All know ``folder``, ``address`` and ``port``, and the TSIG key as ``tsig`` and ``secret``. Of a
    secondary, ``primary`` and ``transferred``, which is for one ``zone``, know ``primary``, an
    address, and ``primary_port`` too. ``loaded`` is for a ``zone`` from a ``file``.

    It runs as any `Release` of this software: Debian 12's where none is given.
    """

    name: str
    program: str
    arguments: Sequence[str]
    head: str
    transferred: str
    loaded: str
    primary: str = ""

    @contextlib.contextmanager
    def secondary(
        self,
        folder: Path,
        port: int,
        primary_port: int,
        zones: Sequence[str],
        release: Release | None = None,
        primary: str = LOOPBACK,
        tsig: tuple[str, str] = (TSIG_NAME, TSIG_SECRET),
    ) -> Iterator[Process]:
        """Run it while the block runs, which starts when it has transferred all of ``zones``. It
        knows its primary by the address ``primary`` alone. ``tsig`` is the name and the secret of
        the key that it transfers with."""
        text = self.of_a_secondary(folder, port, primary_port, zones, primary, tsig)
        with self._run(folder, port, text, zones, release) as process:
            yield process

    def of_a_secondary(
        self,
        folder: Path,
        port: int,
        primary_port: int,
        zones: Sequence[str],
        primary: str = LOOPBACK,
        tsig: tuple[str, str] = (TSIG_NAME, TSIG_SECRET),
    ) -> str:
        """Its configuration as a secondary of ``zones``."""
        names = {**_names(folder, port), "primary": primary, "primary_port": primary_port}
        names |= {"tsig": tsig[0], "secret": tsig[1]}
        text = self.head.format(**names) + self.primary.format(**names)
        return text + "".join(self.transferred.format(zone=zone, **names) for zone in zones)

    @contextlib.contextmanager
    def of_files(
        self,
        folder: Path,
        port: int,
        zones: Mapping[str, Path],
        release: Release | None = None,
    ) -> Iterator[Process]:
        """Run it while the block runs, which starts when it answers from the file of each zone."""
        names = _names(folder, port)
        text = self.head.format(**names)
        for zone, file in zones.items():
            text += self.loaded.format(zone=zone, file=file, **names)
        with self._run(folder, port, text, list(zones), release) as process:
            yield process

    @contextlib.contextmanager
    def _run(
        self,
        folder: Path,
        port: int,
        text: str,
        zones: Sequence[str],
        release: Release | None,
    ) -> Iterator[Process]:
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / f"{self.name}.conf"
        configuration.write_text(text)
        program = (release or OLDEST[self.name]).command(self.program)
        command = [*program, *self.arguments, str(configuration)]
        with running(command, folder, self.program) as process:
            for zone in zones:
                wait_for_zone(process, port, zone)
            yield process


def _names(folder: Path, port: int) -> dict[str, object]:
    return {
        "folder": folder,
        "port": port,
        "address": LOOPBACK,
        "tsig": TSIG_NAME,
        "secret": TSIG_SECRET,
    }
