"""What one core signs through `cryptography` and does nothing else: signed answers whose names are
all new can be no more than that."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.bench import harness

SECONDS: Final = 1.0
_OCTETS: Final = 120
"""Of what is signed: an RRSIG without its signature, and an RR."""


def rate(algorithm: int = 13) -> float:
    """Signatures a second of an algorithm, as lzc has them made, on the core of the servers."""
    command = [sys.executable, "-m", "tests.bench.signing_alone", str(algorithm)]
    done = subprocess.run(
        harness.on_core(harness.SERVER_CORE, command), capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _signer(algorithm: int) -> Callable[[bytes], Any]:
    if algorithm == 8:
        made = rsa.generate_private_key(65537, 2048)
        return lambda data: made.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == 15:
        return ed25519.Ed25519PrivateKey.generate().sign
    scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    key = ec.generate_private_key(ec.SECP256R1())
    return partial(key.sign, signature_algorithm=scheme)


def main() -> None:
    """Sign for `SECONDS`, and print how many of a second."""
    sign = _signer(int(sys.argv[1]))
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < SECONDS:
        for number in range(count, count + 100):
            sign(number.to_bytes(_OCTETS, "big"))
        count += 100
    print(count / took)


if __name__ == "__main__":
    main()
