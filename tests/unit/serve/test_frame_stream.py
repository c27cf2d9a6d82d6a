"""Readers of dnstap that do not behave: what they get is lost, and they cost nothing else. What
real readers make of it is in tests/peers."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lzc.serve.ipc.exchanges import Columns
from lzc.serve.observe.dnstap import CONTENT_TYPE, Endpoint, varint
from lzc.serve.observe.frame_stream import MOST, FrameStream, control_frame
from tests.patience import PATIENCE, SOON

ACCEPT, START, STOP, READY = 1, 2, 3, 4


class Reader:
    """Listens, and does as it is told."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.listener.setblocking(False)

    async def meet(self) -> socket.socket:
        """The next connection, once it said that it is ready."""
        loop = asyncio.get_running_loop()
        sock, _ = await loop.sock_accept(self.listener)
        sock.setblocking(False)
        wanted = control_frame(READY, CONTENT_TYPE)
        assert await loop.sock_recv(sock, len(wanted)) == wanted
        return sock


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  what is waited for is no event of this loop's
            await asyncio.sleep(SOON)


def play(folder: Path, scene: Callable[[Reader, FrameStream], Awaitable[None]]) -> FrameStream:
    """A stream and its reader."""
    reader = Reader(folder)
    stream = FrameStream(reader.path, CONTENT_TYPE)

    async def run() -> None:
        stream.start(asyncio.get_running_loop())
        async with asyncio.timeout(PATIENCE):
            await scene(reader, stream)
        stream.close()

    with reader.listener:
        asyncio.run(run())
    return stream


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak Frame Streams"),
        (bytes(4) + b"\xff\xff\xff\xff" + bytes(4), "does not speak Frame Streams"),
        (control_frame(ACCEPT, b"protobuf:other"), "does not take protobuf:dnstap.Dnstap"),
        (control_frame(STOP), "does not take protobuf:dnstap.Dnstap"),
        (b"", "closed the connection"),
    ],
)
def test_one_that_does_not_accept_is_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, said: bytes, why: str
) -> None:
    async def scene(reader: Reader, stream: FrameStream) -> None:
        with await reader.meet() as sock:
            await asyncio.get_running_loop().sock_sendall(sock, said)
        await until(lambda: why in caplog.text)
        assert not stream.streaming
        stream.send(b"frame", 1)
        with await reader.meet() as sock:
            await asyncio.get_running_loop().sock_sendall(sock, control_frame(ACCEPT, CONTENT_TYPE))
            await until(lambda: stream.streaming)

    with caplog.at_level(logging.INFO):
        assert play(tmp_path, scene).lost == 1
    assert "is read" in caplog.text


def test_frames_arrive_whole_and_the_end_is_told(tmp_path: Path) -> None:
    frames = [bytes([number]) * 50_000 for number in range(60)]
    started = control_frame(START, CONTENT_TYPE)
    heard = bytearray()

    async def scene(reader: Reader, stream: FrameStream) -> None:
        loop = asyncio.get_running_loop()
        sock = await reader.meet()
        await loop.sock_sendall(sock, control_frame(ACCEPT, CONTENT_TYPE))
        await until(lambda: stream.streaming)
        for frame in frames:
            stream.send(frame, 1)
        stream.flush()
        while len(heard) < len(started) + sum(map(len, frames)):
            heard.extend(await loop.sock_recv(sock, 1 << 16))
        # Who reads on is in another process otherwise.
        await loop.sock_sendall(sock, b"read")
        stream.close()
        while piece := await loop.sock_recv(sock, 1 << 16):
            heard.extend(piece)
        sock.close()

    stream = play(tmp_path, scene)
    assert bytes(heard) == started + b"".join(frames) + control_frame(STOP)
    assert (stream.sent, stream.lost) == (len(frames), 0)


def test_one_that_takes_nothing_makes_a_queue_of_bounded_size(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    piece = bytes(1 << 18)
    count = 2 * MOST // len(piece) + 40

    async def scene(reader: Reader, stream: FrameStream) -> None:
        loop = asyncio.get_running_loop()
        with await reader.meet() as sock:
            await loop.sock_sendall(sock, control_frame(ACCEPT, CONTENT_TYPE))
            await until(lambda: stream.streaming)
            for _ in range(count):
                stream.send(piece, 1)
                await asyncio.sleep(0)
            assert 0 < stream.lost < count
            stream.look(1e9)
        await until(lambda: not stream.streaming)

    stream = play(tmp_path, scene)
    assert "messages were not sent" in caplog.text
    assert stream.sent + stream.lost == count


def test_a_path_that_is_too_long_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        stream = FrameStream(tmp_path / ("x" * 200), CONTENT_TYPE)
        stream.start(asyncio.get_running_loop())
        stream.close()

    asyncio.run(scene())
    assert "path too long" in caplog.text


def fields(octets: bytes) -> dict[int, bytes | int]:
    """What a message of Protocol Buffers holds, by the numbers of its fields."""
    found: dict[int, bytes | int] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            octet = octets[at]
            at += 1
            value |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                return value

    while at < len(octets):
        field, kind = divmod(number(), 8)
        if kind == 0:
            found[field] = number()
        else:
            size = 4 if kind == 5 else number()
            found[field] = octets[at : at + size]
            at += size
    return found


@pytest.mark.parametrize("size", [12, 127, 128, 4096, 65_535])
@pytest.mark.parametrize(("tls", "protocol"), [(False, 2), (True, 3)])
def test_a_frame_has_what_its_message_says(size: int, tls: bool, protocol: int) -> None:
    client, query, answer = bytes(range(16)), b"q" * 12, b"a" * size
    endpoint = Endpoint("me", "lzc", b"\x7f\0\0\1", 5300, tcp=True, six=True, tls=tls)
    exchange = client, b"\x10\x92", query, answer
    octets, count = endpoint.frames(
        1_800_000_000.25, 1_800_000_001.5, Columns(*([part] for part in exchange))
    )
    assert count == 2
    messages = []
    while octets:
        length = int.from_bytes(octets[:4], "big")
        whole = fields(octets[4 : 4 + length])
        assert (whole[1], whole[2], whole[15]) == (b"me", b"lzc", 1)
        assert isinstance(whole[14], bytes)
        messages.append(fields(whole[14]))
        octets = octets[4 + length :]
    asked, answered = messages
    shared = {
        2: 2,
        3: protocol,
        4: client,
        5: b"\x7f\0\0\1",
        6: 4242,
        7: 5300,
        8: 1_800_000_000,
        9: (250_000_000).to_bytes(4, "little"),
    }
    assert asked == {1: 1, **shared, 10: query}
    assert answered == {
        **shared,
        1: 2,
        14: answer,
        12: 1_800_000_001,
        13: (500_000_000).to_bytes(4, "little"),
    }


@pytest.mark.parametrize("size", [12, 100, 300, 4096])
def test_a_query_and_its_answer_are_one_frame_where_that_is_wished(size: int) -> None:
    """But for a query that got none, whose frame is its own."""
    client, query, answer = bytes(range(4)), b"q" * 40, b"a" * size
    endpoint = Endpoint("", "", b"", 53, tcp=False, six=False, together=True)
    exchanges = Columns([client] * 2, [b"\0\x35"] * 2, [query] * 2, [answer, None])
    octets, count = endpoint.frames(1.25, 2.5, exchanges)
    assert count == endpoint.count(exchanges) == 2
    found = []
    while octets:
        length = int.from_bytes(octets[:4], "big")
        message = fields(octets[4 : 4 + length])[14]
        assert isinstance(message, bytes)
        found.append(fields(message))
        octets = octets[4 + length :]
    assert [(one[1], one[10], one.get(14)) for one in found] == [
        (2, query, answer),
        (1, query, None),
    ]
    assert (found[0][8], found[0][12]) == (1, 2)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**63])
def test_numbers_are_seven_bits_an_octet(number: int) -> None:
    assert fields(b"\x08" + varint(number)) == {1: number}
