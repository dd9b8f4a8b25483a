"""The same key to the same server."""

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import ClassVar

from balancer.candidate import Candidate
from balancer.pick import Pick
from balancer.policy import Needs


def unit_hash(key: str, server_id: str) -> float:
    """A stable number strictly between 0 and 1, from 52 bits of a 64-bit BLAKE2b."""
    # the byte 255 occurs in no UTF-8 text, so no two pairs run together; keys from JSON may hold lone surrogates
    text = b"\xff".join(part.encode(errors="surrogatepass") for part in (key, server_id))
    digest = int.from_bytes(blake2b(text, digest_size=8).digest())
    return ((digest >> 12) + 0.5) / 2**52


class RendezvousHash:
    """The available server with the highest -weight / ln(hash(key, server)): weighted highest random weight.

    A server that joins takes its share of the keys and moves no other; one that leaves, is full or was tried gives
    each of its keys to that key's next best. A task without a key has no affinity: it is given a random one, which
    makes the choice random by weight. Source: Thaler and Ravishankar 1998; the weighted form by Schindelhauer and
    Schomaker 2005.
    """

    name: ClassVar[str] = "rendezvous-hash"
    needs: ClassVar[Needs] = Needs.NOTHING

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        key = pick.key or str(pick.rng.getrandbits(64))

        def score(candidate: Candidate) -> tuple[float, int]:
            return -candidate.weight / math.log(unit_hash(key, candidate.id)), -candidate.seq

        return max(pick.available(candidates), key=score)
