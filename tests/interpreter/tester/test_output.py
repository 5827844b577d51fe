"""Protects what is kept of a task's output, and what whoever follows it sees."""

from __future__ import annotations

import asyncio

from interpreter.tester.output import MERGED, Output


async def test_a_follower_sees_every_byte_once_however_it_is_cut() -> None:
    output, seen = Output(1_000_000), bytearray()

    async def follow() -> None:
        async for piece in output.follow():
            seen.extend(piece)

    following = asyncio.create_task(follow())
    expected = b""
    for number in range(3000):
        piece = f"{number},".encode()
        expected += piece
        output.write(piece)
        if number % 7 == 0:
            await asyncio.sleep(0)
    output.close()
    await following
    assert bytes(seen) == expected == output.text().encode()


async def test_one_who_comes_later_sees_what_is_kept_and_one_who_is_slow_is_told() -> None:
    output = Output(2 * MERGED)
    for letter in b"abcdef":
        output.write(bytes([letter]) * MERGED)
    following = output.follow()
    first = await anext(following)
    assert first == b"e" * MERGED
    for letter in b"ghijkl":
        output.write(bytes([letter]) * MERGED)
    output.close()
    rest = [piece async for piece in following]
    assert rest[0] == b"f" * MERGED
    assert rest[1] == f"[{4 * MERGED} bytes went by too fast]\n".encode()
    assert b"".join(rest[2:]) == b"k" * MERGED + b"l" * MERGED


def test_little_pieces_take_little_room() -> None:
    output = Output(100_000)
    for _ in range(50_000):
        output.write(b"x")
    assert len(output._pieces) <= 50_000 // MERGED + 1


def test_what_is_not_kept_is_counted() -> None:
    output = Output(MERGED)
    for letter in b"abc":
        output.write(bytes([letter]) * MERGED)
    assert output.text() == f"[{2 * MERGED} bytes before this are not kept]\n" + "c" * MERGED
