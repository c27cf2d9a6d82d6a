"""Starting a server: all that could keep it from that is looked at before the first fork."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from lzc.bundle import verification
from lzc.bundle.unusable import usable
from lzc.faults import Fault, InputError
from lzc.foreign_text import clauses
from lzc.private_folder import private_folder
from lzc.serve.health import saved_state as health_state
from lzc.serve.health.admission import CheckPolicy
from lzc.serve.observe.log_files import check_log_files
from lzc.serve.observe.log_format import about
from lzc.serve.observe.log_output import set_up_for
from lzc.serve.supervise import ahead, control, http_socket
from lzc.serve.supervise.checker_process import CheckerProcess
from lzc.serve.supervise.http_service import Http
from lzc.serve.supervise.kept_zones import tell_kept
from lzc.serve.supervise.settings_in_force import ServeOptions
from lzc.serve.supervise.source import Source
from lzc.serve.supervise.supervisor import Supervisor
from lzc.serve.transport import sockets
from lzc.serve.worker.geo_files import GeoFiles
from lzc.serve.worker.keyring import Secrets
from lzc.wire.cookie import SECRET as COOKIE_SECRET

log = logging.getLogger("lzc")

DEPARTING: Final = 5.0
"""Seconds that processes of a server that was killed may hold its addresses yet."""


def run(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT. Raises `InputError` for what keeps the server from starting:
    no bundle, a damaged one, addresses in use, no secret for cookies. Keys of zones and TSIG
    secrets that cannot be used concern those alone."""
    # It is the end of a process that does not expect it; and all is read anew right here.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    set_up_for(options.config)
    with private_folder("serve") as private:
        source = Source.at(options.source, private)
        geo = GeoFiles(options.config.geo_files, private)
        faults: list[Fault] = []
        with _all_faults(faults):
            check_log_files(options.config)
        secrets = Secrets({}, b"")
        with _all_faults(faults):
            folder = _verified(source, options)
        with _all_faults(faults):
            secrets = Secrets.read(options.config, os.urandom(COOKIE_SECRET))
        token: bytes | None = None
        with _all_faults(faults):
            token = options.config.http_token()
        with _all_faults(faults):
            geo.open()
        unusable = [*chain(*secrets.faults.values())]
        if faults:
            raise InputError([*faults, *unusable])
        path = control.socket_path(
            options.config.folder, options.config.output, options.config.serve.control_socket
        )
        # What is left of one that was killed lets go of its addresses in a moment.
        patience = DEPARTING if control.left_behind(path) else 0.0
        tls = options.config.serve.tls_listen
        bound = sockets.bind(options.listen, options.workers, patience, tls)
        where = options.config.serve.http
        http = Http(
            where,
            None if where is None else http_socket.bind(where, patience),
            token,
            options.config.serve.http_compat == "powerdns",
        )
        listener = control.bind(path)
        _raise_file_limit()
        ahead.for_workers()
        gc.freeze()
        gc.enable()
        tell_kept(folder)
        for fault in unusable:
            said = clauses(str(fault))
            extra = about(reason=fault.message, code=fault.rule)
            log.error("TSIG KEY OUT OF SERVICE: %s", said, extra=extra)
        checker = CheckerProcess(
            CheckPolicy.from_config(options.config), health_state.path_beside(path), private
        )
        supervisor = Supervisor(options, source, folder, bound, checker, geo, secrets, http)
        asyncio.run(supervisor.serve(path, listener))


@contextlib.contextmanager
def _all_faults(faults: list[Fault]) -> Iterator[None]:
    """Go on after an `InputError`, so that what is wrong elsewhere is found in the same run."""
    try:
        yield
    except InputError as error:
        faults.extend(error.faults)


def _verified(source: Source, options: ServeOptions) -> Path:
    """The folder of the live bundle. Raises `InputError`."""
    file, given = options.file or options.config.file, options.source != options.config.output
    with usable(source.path, file, given=given):
        folder = source.locate()
        verification.verify(folder, source.stamps)
    return folder


def _raise_file_limit() -> None:
    """Connections and health checks are bounded by settings of ours, not by a shell's default."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
