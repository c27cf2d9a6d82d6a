"""The servers other than PowerDNS by name, as `Release.software` has it."""

from __future__ import annotations

from typing import Final

from tests.peers._peers.bind import BIND
from tests.peers._peers.knot import KNOT
from tests.peers._peers.nsd import NSD

KINDS: Final = {kind.name: kind for kind in (BIND, NSD, KNOT)}
