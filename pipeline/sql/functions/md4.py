"""MD4. Current builds of OpenSSL no longer have it.

Source: RFC 1320. Rules need it to compare with digests of old systems. It is not safe for any other use.
"""

from __future__ import annotations

import struct
from typing import Final

_MASK: Final = 0xFFFFFFFF
_ROUNDS: Final = (
    (0, (3, 7, 11, 19), range(16)),
    (0x5A827999, (3, 5, 9, 13), (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)),
    (0x6ED9EBA1, (3, 9, 11, 15), (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)),
)


def _mix(round_number: int, x: int, y: int, z: int) -> int:
    if round_number == 0:
        return (x & y) | (~x & z)
    return (x & y) | (x & z) | (y & z) if round_number == 1 else x ^ y ^ z


def md4(message: bytes) -> bytes:
    """The 16 bytes of the digest."""
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    padded = (
        message + b"\x80" + b"\0" * ((55 - len(message)) % 64) + struct.pack("<Q", 8 * len(message) & (1 << 64) - 1)
    )
    for offset in range(0, len(padded), 64):
        state = _block(state, struct.unpack_from("<16I", padded, offset))
    return struct.pack("<4I", *state)


def _block(state: list[int], words: tuple[int, ...]) -> list[int]:
    a, b, c, d = state
    for number, (constant, shifts, order) in enumerate(_ROUNDS):
        for step, index in enumerate(order):
            total = (a + _mix(number, b, c, d) + words[index] + constant) & _MASK
            shift = shifts[step % 4]
            a, b, c, d = d, (total << shift | total >> (32 - shift)) & _MASK, b, c
    return [(x + y) & _MASK for x, y in zip(state, (a, b, c, d), strict=True)]
