"""Bodies of answers that are packed (gzip, deflate), unpacked piece by piece and no further than somebody reads.

HTTP libraries unpack a piece whole, and a piece of a kilobyte may hold a megabyte.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

Unpack = Callable[[bytes, int], bytes]
"""What makes plain bytes of a piece, no more than so many. Raises `UnpackProblem`."""


class UnpackProblem(ValueError):
    """A body is not packed as its header says. The message goes on from `the answer …`."""


def unpacking(encoding: str) -> Unpack:
    """For a `Content-Encoding`. Raises `UnpackProblem` for one that was not asked for."""
    match encoding.strip().lower():
        case "" | "identity":
            return lambda piece, most: piece[:most]
        case "gzip" | "x-gzip" | "deflate":
            packed = zlib.decompressobj(zlib.MAX_WBITS | 32)
        case _:
            raise UnpackProblem("is packed in a way that was not asked for")

    def unpack(piece: bytes, most: int) -> bytes:
        try:
            return packed.decompress(piece, most)
        except zlib.error as error:
            raise UnpackProblem("cannot be unpacked") from error

    return unpack
