"""Who of several servers gets a request."""

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

_DIGEST = 8


class Candidate(Protocol):
    """
    A server that may get it.

    Attributes:
        weight: Its share, as it is now.
        busy: Requests that it has.
        turn: What is kept of its turns.
        seed: Octets that stand for it, the same everywhere.
    """

    weight: float
    turn: float

    @property
    def busy(self) -> int:
        """Requests that it has."""

    @property
    def seed(self) -> bytes:
        """Octets that stand for it, the same everywhere."""


C = TypeVar("C", bound=Candidate)


def in_turn(candidates: Sequence[C], key: bytes) -> C:  # noqa: ARG001
    """Choose by turns, those of one server spread evenly between those of others."""
    best, total = candidates[0], 0.0
    for each in candidates:
        each.turn += each.weight
        total += each.weight
        if each.turn > best.turn:
            best = each
    best.turn -= total
    return best


def least_busy(candidates: Sequence[C], key: bytes) -> C:
    """
    Choose who has few requests for its weight; by turns if several do.

    Few are fewer than anybody's with one more: else who has the larger weight got each
    request that comes alone, and who is just back none of them.
    """
    most = min((each.busy + 1) / each.weight for each in candidates)
    some = [each for each in candidates if each.busy / each.weight < most]
    return some[0] if len(some) == 1 else in_turn(some, key)


def of_user(candidates: Sequence[C], key: bytes) -> C:
    """
    Choose always the same for *key*, by rendezvous hashing with weights.

    The loss of a server moves those who had it, and nobody else; its return, them.
    """
    return max(candidates, key=lambda each: _score(each, key))


def _score(candidate: Candidate, key: bytes) -> float:
    digest = blake2b(key, key=candidate.seed, digest_size=_DIGEST).digest()
    drawn = (int.from_bytes(digest, "big") + 0.5) / 2.0 ** (8 * _DIGEST)
    if drawn >= 1.0:  # rounded up
        return math.inf
    return -candidate.weight / math.log(drawn)


def seed_of(name: str) -> bytes:
    """Give octets that stand for the server *name*."""
    return blake2b(name.encode(), digest_size=16).digest()
