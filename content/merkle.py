"""The hash tree of RFC 9162 section 2.1: one root for many documents, and a short proof for each of them.

Leaves and inner nodes are hashed with different first bytes, so neither can pass for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(document: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + document).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree(leaves: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """The root and, per leaf, its inclusion path from the bottom up, of at least one leaf hash."""
    paths: list[list[bytes]] = [[] for _ in leaves]
    # A level's lone last node moves up as it is: the same tree as RFC 9162's split at the largest power of two.
    level = [(node, range(i, i + 1)) for i, node in enumerate(leaves)]
    while len(level) > 1:
        above: list[tuple[bytes, range]] = []
        for (left, below_left), (right, below_right) in zip(level[::2], level[1::2], strict=False):
            for i in below_left:
                paths[i].append(right)
            for i in below_right:
                paths[i].append(left)
            above.append((node_hash(left, right), range(below_left.start, below_right.stop)))
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0][0], paths


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """RFC 9162 section 2.1.3.2: the root that a proof leads to, or None if its length does not fit index and size."""
    if not 0 <= index < size:
        return None
    fn, sn, node = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = node_hash(node, sibling)
        fn, sn = fn >> 1, sn >> 1
    return node if sn == 0 else None
