"""What settings about TLS need of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lzc.faults import Fault, Place

if TYPE_CHECKING:
    from lzc.config.whole import Config


def check_tls(config: Config, place: Callable[..., Place]) -> Iterator[Fault]:
    """What is said of TLS, and not all that it needs."""
    serve = config.serve
    wanting = [
        key
        for key, value in (
            ("tls-certificate-file", serve.tls_certificate_file),
            ("tls-key-file", serve.tls_key_file),
        )
        if value is None
    ]
    if serve.tls_listen and wanting:
        yield Fault(
            place("serve", "tls-listen"),
            "tls-certificate",
            f"tls-listen needs {' and '.join(wanting)}",
            fix="name the files in [serve]; how they are made: lzc help xot",
        )
    for index, secondary in enumerate(config.secondary):
        keys = [
            key
            for key, said in (
                ("require-tls", secondary.require_tls),
                ("tls-pins", secondary.tls_pins),
                ("tls-name", secondary.tls_name),
            )
            if said
        ]
        if keys and not serve.tls_listen:
            yield Fault(
                place("secondary", index, keys[0]),
                "tls-listen",
                f"secondary {secondary.name} has {keys[0]}, and there is no TLS",
                "it would get no zone",
                "set tls-listen in [serve], such as 192.0.2.1:853",
            )
        if secondary.tls_name is not None and serve.tls_client_ca_file is None:
            yield Fault(
                place("secondary", index, "tls-name"),
                "tls-client-ca",
                f"secondary {secondary.name} has tls-name, and no CA vouches for it",
                "anybody could put that name in a certificate",
                "set tls-client-ca-file in [serve], or name its key in tls-pins",
            )
