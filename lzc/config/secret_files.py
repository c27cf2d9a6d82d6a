"""The secrets that lie in files of their own, which nobody else may read."""

from __future__ import annotations

import base64
import os
import re
import shlex
import stat
from pathlib import Path
from typing import Final

from lzc.faults import Fault, InputError, Place
from lzc.file_owner import stranger, take_over

_CREDENTIAL: Final = "credential:"
_SEALING: Final = {
    "why": "whoever reads it can open the private keys, and forge your zones",
    "fix": "bring the file back from where you keep a copy, or correct its name in [dnssec]",
}


def credential(name: str) -> Path | None:
    """The file of a credential that systemd hands to a service; `None` where a setting names a file
    of its own."""
    if not name.startswith(_CREDENTIAL):
        return None
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "/run/credentials")
    return Path(folder) / name.removeprefix(_CREDENTIAL)


def tsig_secret(path: Path, name: str) -> bytes:
    """The secret of a TSIG key with a name, in base64. Raises `InputError`."""
    raw = _read(
        path,
        "tsig-secret",
        f"the secret of TSIG key {name}",
        why="whoever reads it can transfer and forge your zones",
        fix="create the file, or correct secret-file in lzc.toml",
    )
    secret = from_base64(raw)
    if not secret:
        raise InputError(no_base64(Place(str(path)), name))
    return secret


def from_base64(text: str | bytes) -> bytes:
    """The octets of a secret in base64; none where it is empty, which protects nothing, or not
    base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def no_base64(place: Place, name: str) -> Fault:
    """The fault of a TSIG secret that is empty or not base64; ``name`` is that of its key."""
    return Fault(
        place,
        "tsig-secret",
        f"the secret of TSIG key {name} is empty, or not base64",
        fix="make one with: openssl rand -base64 32",
    )


def cookie_secret(path: Path) -> bytes:
    """The 16 octets for server cookies, in hexadecimal. Raises `InputError`."""
    from lzc.wire.cookie import SECRET as COOKIE_SECRET

    file = shlex.quote(str(path))
    fix = f"openssl rand -hex {COOKIE_SECRET} > {file}; chmod 600 {file}"
    why = "whoever reads it can make cookies of any client, which then prove nothing (RFC 7873)"
    raw = _read(path, "cookie-secret", "the cookie secret", why=why, fix=fix)
    try:
        secret = bytes.fromhex(raw.decode())
    except ValueError:
        secret = b""
    if len(secret) != COOKIE_SECRET:
        problem = f"the cookie secret is not {2 * COOKIE_SECRET} hexadecimal digits"
        raise InputError.at(path, "cookie-secret", problem, fix=fix)
    return secret


def keystore_passphrase(path: Path) -> bytes:
    """The passphrase that seals private keys. Raises `InputError`."""
    found = _read(path, "keystore-secret", "the passphrase of the keystore", **_SEALING)
    if not found:
        problem = "the passphrase of the keystore is empty"
        raise InputError.at(path, "keystore-secret", problem, fix="write one into the file")
    return found


def keystore_key(path: Path) -> bytes:
    """The 32 octets that seal private keys, in hexadecimal. Raises `InputError`."""
    found = _read(path, "keystore-secret", "the key of the keystore", **_SEALING)
    try:
        octets = bytes.fromhex(found.decode())
    except ValueError:
        octets = b""
    if len(octets) != 32:
        problem = "the key of the keystore is not 64 hexadecimal digits"
        fix = f"openssl rand -hex 32 > {shlex.quote(str(path))}, if nothing is sealed with it"
        raise InputError.at(path, "keystore-secret", problem, fix=fix)
    return octets


def token_pin(path: Path) -> str:
    """The PIN of a token. Raises `InputError`."""
    why = "whoever reads it can have the token sign, and forge your zones"
    fix = "write it into the file, mode 0600, or correct its name in [dnssec] or in pin-source"
    found = _read(path, "token-pin", "the PIN of the token", why=why, fix=fix)
    try:
        pin = found.decode()
    except UnicodeDecodeError:
        pin = ""
    if not pin:
        problem = "the PIN of the token is empty, or not UTF-8"
        raise InputError.at(path, "token-pin", problem, fix=fix)
    return pin


def http_token(path: Path) -> bytes:
    """The bearer token of HTTP (RFC 6750 §2.1). Raises `InputError`."""
    file = shlex.quote(str(path))
    fix = f"openssl rand -hex 24 > {file}; chmod 600 {file}"
    why = "whoever reads it can see what the server does"
    token = _read(path, "http-token", "the token of http", why=why, fix=fix)
    if not re.fullmatch(rb"[A-Za-z0-9._~+/-]{16,}=*", token):
        problem = "the token of http is not 16 or more letters, digits, or any of -._~+/"
        raise InputError.at(path, "http-token", problem, fix=fix)
    return token


def tls_key(path: Path) -> bytes:
    """The key of the certificate that is shown over TLS, in PEM. Raises `InputError`."""
    why = "whoever reads it can pass for this server, over TLS"
    fix = "create the file, or correct tls-key-file in [serve] of lzc.toml"
    return _read(path, "tls-key", "the key of TLS", why=why, fix=fix)


def _read(path: Path, rule: str, what: str, *, why: str, fix: str) -> bytes:
    """What a file holds that nobody else may read, without blanks around it.

    Raises `InputError` with ``rule`` when the file cannot be read, for which ``fix`` says what to
    do, is open to others (mode beyond 0600/0640), or belongs to a stranger, of which ``why`` says
    what comes.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read()
    except OSError as error:
        problem = f"{what} cannot be read: {error.strerror}"
        raise InputError.at(path, f"{rule}-unreadable", problem, fix=fix) from error
    owner = stranger(status, path)
    if owner:
        problem = f"{what} belongs to another user ({owner})"
        raise InputError.at(path, f"{rule}-owner", problem, why, take_over(path))
    if status.st_mode & (stat.S_IWGRP | stat.S_IRWXO):
        problem, fix = f"{what} is open to other users", f"chmod 600 {shlex.quote(str(path))}"
        raise InputError.at(path, f"{rule}-exposed", problem, why, fix)
    return raw.strip()
