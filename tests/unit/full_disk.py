"""What lzc does on a file system of its own that is full, or that cannot be written. Run as
``unshare --mount python -m tests.unit.full_disk FOLDER``: it mounts one there."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import dns.message
import dns.query

from tests.patience import PATIENCE
from tests.unit.following import CONFIG, ZONE, Operator, Said, wait_until

OCTETS = "700k"
"""Room for a small project and one more bundle."""


def refused(said: Said, *words: str) -> None:
    """It failed, and said so in a fault with these words and with a way out."""
    assert said.code == 1, said.text
    assert "    fix: " in said.text, said.text
    for word in words:
        assert word in said.text, said.text


def files(folder: Path) -> dict[str, bytes]:
    """All files of a project that a server does not write."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".control" not in path.name
    }


def fill(path: Path) -> None:
    """Take all the room there is."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(1024)):
            pass


def answers(operator: Operator, name: str) -> list[str]:
    """What the server answers with for an A query."""
    line = next(one for one in operator.servers[0].log if "lzc: serving bundle" in one)
    port = int(line.rpartition("127.0.0.1:")[2].partition(",")[0])
    query = dns.message.make_query(f"{name}.{ZONE}", "A")
    answer = dns.query.udp(query, "127.0.0.1", port=port, timeout=PATIENCE)
    return [rdata.to_text() for rrset in answer.answer for rdata in rrset]


def full(operator: Operator) -> None:
    """Nothing is lost, and it goes on when there is room again."""
    folder = operator.folder
    operator.project(config=CONFIG)
    operator.append("more 600 IN A 192.0.2.2\n")
    operator.succeed("lzc serve")
    before = files(folder)
    fill(folder / "filling")
    no_room = "No space left on device"
    refused(operator.run("lzc build"), f"{folder}/build", no_room, "free space")
    refused(operator.run(f"lzc keys generate {ZONE} --add"), f"{folder}/keys/K", no_room)
    refused(operator.run("lzc init new"), "new/lzc.toml", no_room)
    forced = operator.run("lzc ctl health force 127.0.0.80 down --anyway")
    assert forced.code == 1
    assert f"{folder}/build/.control.health: {no_room}" in forced.text
    assert "NOT SAVED" in operator.succeed("lzc ctl status")
    operator.succeed("lzc ctl reload")
    operator.succeed("lzc verify")
    assert answers(operator, "www") == ["192.0.2.1"]
    assert answers(operator, "more") == []
    (folder / "filling").unlink()
    assert files(folder) == before

    operator.succeed("lzc build")
    wait_until(lambda: answers(operator, "more") == ["192.0.2.2"])
    operator.succeed("lzc ctl health force 127.0.0.80 auto --anyway")
    assert "NOT SAVED" not in operator.succeed("lzc ctl status")
    operator.servers[0].stop()
    assert not any("Traceback" in line for line in operator.servers[0].log)


def read_only(operator: Operator) -> None:
    """What only reads goes on."""
    folder = operator.folder
    before = files(folder)
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    never = "Read-only file system"
    refused(operator.run("lzc build"), f"{folder}/build", never)
    refused(operator.run(f"lzc keys generate {ZONE} --add"), f"{folder}/keys/", never)
    refused(operator.run("lzc init new"), "new/lzc.toml", never)
    refused(operator.run("lzc serve"), f"{folder}/build/control.sock", never, "control-socket")
    operator.succeed("lzc verify")
    operator.succeed("lzc check")
    assert "192.0.2.2" in operator.succeed(f"lzc query more.{ZONE}")
    assert files(folder) == before


def main(folder: str) -> None:
    """Mount, and go through both."""
    options = ["-t", "tmpfs", "-o", f"size={OCTETS}"]
    subprocess.run(["mount", *options, "tmpfs", folder], check=True)
    with Operator(Path(folder)) as operator:
        full(operator)
        read_only(operator)


if __name__ == "__main__":
    main(sys.argv[1])
