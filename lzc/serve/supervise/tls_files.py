"""The certificate that is shown over TLS, on disk: taken when the server starts, with a reload, and
when its files change. What cannot be used changes nothing, and is told of; so is its end, in time.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lzc.bundle.verification import Stamp, marks
from lzc.config import Config
from lzc.faults import Fault, InputError
from lzc.foreign_text import clauses, shown
from lzc.serve.observe.log_format import about

if TYPE_CHECKING:
    from lzc.config.tls_material import Shown, TlsMaterial

log = logging.getLogger("lzc")

DAY: Final = 86400.0
_AGAIN: Final = DAY


class TlsFiles:
    """Those that the settings name. ``material`` is what is in use, `None` without `tls-listen` and
    where nothing could be used yet; ``faults`` are those of what is on disk."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stamps: tuple[Stamp | None, ...] = ()
        self._seen: tuple[Stamp | None, ...] = ()
        self._shown: Shown | None = None
        self._told = 0.0
        self.material: TlsMaterial | None = None
        self.faults: tuple[Fault, ...] = ()

    @property
    def wanted(self) -> bool:
        """Whether the server speaks TLS at all."""
        return bool(self._config.serve.tls_listen)

    def open(self) -> None:
        """Take what is there when the server starts. What is wrong is told of, and concerns TLS
        alone: others are answered."""
        if self.wanted:
            self.refresh(at_once=True)

    def follow(self, config: Config) -> None:
        """The files are those of these settings from now on, as they stand."""
        self._config = config
        self.refresh(at_once=True)

    def refresh(self, *, at_once: bool = False) -> bool:
        """Take what is new on disk: with ``at_once`` as it stands, otherwise when it has not
        changed since the call before, as a pair is written one file after the other. True where
        something else is in use now."""
        if not self.wanted:
            return False
        stamps = tuple(map(_stamp, self._paths()))
        settled = at_once or stamps == self._seen
        self._seen = stamps
        if not settled or (stamps == self._stamps and not at_once):
            return False
        self._stamps = stamps
        return self._take()

    def look(self, now: float) -> None:
        """Warn of the end of the certificate, once a day. ``now``: seconds since the epoch."""
        found = self._shown
        if found is None or not self._is_late(now) or now - self._told < _AGAIN:
            return
        self._told = now
        path, left = shown(self._certificate()), (found.not_after - now) / DAY
        extra = about(file=path, days=round(left, 1))
        renew = "have it renewed; it is taken when its files change"
        if left <= 0:
            what = "CERTIFICATE EXPIRED: %s, which is shown over TLS, is over since %.1f days: %s"
            log.error(what, path, -left, renew, extra=extra)
        else:
            what = "CERTIFICATE: %s, which is shown over TLS, expires in %.1f days: %s"
            log.warning(what, path, left, renew, extra=extra)

    def report(self) -> dict[str, Any] | None:
        """For ``lzc ctl``: what is shown over TLS, its ``names``, the ``pin`` of its key, when it
        ``expires`` (seconds since the epoch; 0 without one), whether that is ``late``, and why what
        is on disk is not in use (``error``). `None` where there is no TLS."""
        if not self.wanted:
            return None
        found = self._shown
        return {
            "certificate": str(self._certificate()),
            "names": list(found.names) if found is not None else [],
            "pin": found.pin if found is not None else "",
            "expires": found.not_after if found is not None else 0.0,
            "late": self._is_late(time.time()),
            "error": "\n".join(map(str, self.faults)),
        }

    def _is_late(self, now: float) -> bool:
        return self._shown is not None and self._shown.is_late(now)

    def _take(self) -> bool:
        # Here, as most servers have none.
        from lzc.config.tls_material import out_of_date, read_material

        try:
            material, found = read_material(self._config)
            fault = out_of_date(self._certificate(), found)
            if fault is not None and self._shown is not None and self._is_better(found):
                raise InputError([fault])
        except InputError as error:
            news = [fault for fault in error.faults if fault not in self.faults]
            self.faults = tuple(error.faults)
            for fault in news:
                self._say(fault)
            return False
        self.faults = ()
        if material == self.material:
            return False
        again = self.material is not None
        self.material, self._shown, self._told = material, found, 0.0
        if again:
            path, day = (
                shown(self._certificate()),
                time.strftime("%Y-%m-%d", time.gmtime(found.not_after)),
            )
            what = "TLS: certificate %s: read anew, it expires on %s, pin %s"
            log.info(what, path, day, found.pin, extra=about(file=path))
        return True

    def _is_better(self, found: Shown) -> bool:
        """Whether the one in use has the longer life."""
        assert self._shown is not None
        return self._shown.not_after > found.not_after

    def _say(self, fault: Fault) -> None:
        said, extra = (
            shown(clauses(str(fault))),
            about(reason=fault.message, code=fault.rule),
        )
        if self.material is None:
            log.error("TLS OUT OF SERVICE: %s", said, extra=extra)
        else:
            log.error("TLS: the certificate from before is kept: %s", said, extra=extra)

    def _certificate(self) -> Path:
        return self._config.path(self._config.serve.tls_certificate_file or "")

    def _paths(self) -> list[Path]:
        serve = self._config.serve
        names = (serve.tls_certificate_file, serve.tls_key_file, serve.tls_client_ca_file)
        return [self._config.path(name) for name in names if name is not None]


def _stamp(path: Path) -> Stamp | None:
    """What changes when the file does that a path leads to; `None` where there is none."""
    real = Path(os.path.realpath(path))
    try:
        return marks(real.parent, [real.name])
    except OSError:
        return None
