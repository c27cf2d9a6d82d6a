"""What one core signs through `cryptography` and does nothing else: signed answers whose names are
all new can be no more than that."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bench import harness

SECONDS: Final = 1.0
_OCTETS: Final = 120
"""Of what is signed: an RRSIG without its signature, and an RR."""


def rate() -> float:
    """Signatures a second of algorithm 13, as lzc has them made, on the core of the servers."""
    command = [sys.executable, "-m", "tests.bench.signing_alone"]
    done = subprocess.run(
        harness.on_core(harness.SERVER_CORE, command), capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    """Sign for `SECONDS`, and print how many of a second."""
    sign = ec.generate_private_key(ec.SECP256R1()).sign
    scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < SECONDS:
        for number in range(count, count + 100):
            sign(number.to_bytes(_OCTETS, "big"), scheme)
        count += 100
    print(count / took)


if __name__ == "__main__":
    main()
