"""
Ask OpenID 2.0 providers: for secrets to share, and whether an answer is theirs.

Secrets are kept for all processes under the provider *and* what it calls them, and are
looked up by both: a provider can call one of its own like one of another's (key
confusion).
"""

import json
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from twisted.logger import Logger

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IClock, ISealer
from sso_proxy.net.http_client import ClientTls, HttpClient, HttpReply
from sso_proxy.net.once import Once
from sso_proxy.net.openid2_fetch import FetchRules
from sso_proxy.net.threads import Threads
from sso_proxy.specs.openid2.assertion import (
    WINDOW,
    Assertion,
    AssertionRefused,
    build_check,
    check_discovered,
    check_signature,
    read_check,
)
from sso_proxy.specs.openid2.association import (
    OFFERS,
    SECRET_BITS,
    Association,
    AssociationError,
    Offer,
    begin_exchange,
    build_associate,
    read_association,
)
from sso_proxy.specs.openid2.discovery import Discovered, Endpoint
from sso_proxy.specs.openid2.message import MAX_ANSWER, FormFields

_log = Logger()

PURPOSE: Final = "openid2-association"
"""Secrets in the cache."""
NONCES: Final = "openid2-nonce"
"""Marks of answers in the cache."""
NEEDS: Final = frozenset({"get", "put", "delete", "mark"})
"""What the cache has to be able to do."""

RETRY_AFTER: Final = 60.0
"""Seconds until a provider that has given no association is asked again."""
LEAST_LEFT: Final = 900.0
"""Seconds that an association has to last for a login that begins."""

_MOST_TRIES: Final = 3
_MOST_KNOWN: Final = 1000
_TOP_BIT: Final = 1 << (SECRET_BITS - 1)


class Providers:
    """
    Asks providers, of which anybody may name any.

    Args:
        http_client: Asks; its proxy and CAs are used.
        cache: Where secrets and marks are, for all processes.
        sealer: Seals secrets.
        clock: The time.
        threads: Where exponentiations are done.
        rules: Where we go.
        tls: Whom to trust instead of the usual CAs, and their revocation lists.
        offers: The kinds of associations to ask for, in this order; none, if each
            answer is to be asked about (stateless).
        window: Seconds that a provider's clock may differ from ours.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each thing it depends on
        self,
        http_client: HttpClient,
        *,
        cache: ICache,
        sealer: ISealer,
        clock: IClock,
        threads: Threads,
        rules: FetchRules,
        tls: ClientTls | None = None,
        offers: Sequence[Offer] = OFFERS,
        window: float = WINDOW,
    ) -> None:
        self._http_client = http_client.guarded(rules.guard)
        self._cache = cache
        self._sealer = sealer
        self._clock = clock
        self._threads = threads
        self._rules = rules
        self._tls = tls
        self._offers = tuple(offers)
        self._window = window
        self._asking: dict[str, Once[Association | None]] = {}
        self._retry_at: OrderedDict[str, float] = OrderedDict()

    async def associate(self, op_endpoint: str) -> Association | None:
        """
        Give the secret that a provider shares with us; ask for one if there is none.

        Returns:
            It, or None if the provider gives none, and is to be asked about its answer.

        Raises:
            UnavailableError: The cache is down.
        """
        if not self._offers or not self._rules.allows(op_endpoint):
            return None
        kept = await self._read(_current(op_endpoint), op_endpoint)
        if kept is not None and kept.expires > self._clock.time() + LEAST_LEFT:
            return kept
        if self._clock.monotonic() < self._retry_at.get(op_endpoint, float("-inf")):
            return None
        asking = self._asking.get(op_endpoint)
        if asking is None:
            asking = Once(lambda: self._ask(op_endpoint))
            self._asking[op_endpoint] = asking
        return await asking.join()

    async def verify(self, assertion: Assertion, found: Endpoint | Discovered) -> None:
        """
        Check that a provider has said so, may say so, and says so for the first time.

        This is all that `sso_proxy.specs.openid2.assertion.read_assertion` has left of
        section 11: (b), (c), (e) and (f).

        Args:
            assertion: The answer.
            found: What was discovered about its identifier: when the login began, or
                now, if `needs_discovery`.

        Raises:
            AssertionRefused: It has not, may not, or it was used before.
            UnavailableError: The provider does not answer, or the cache is down.
        """
        check_discovered(assertion, found)
        op_endpoint = assertion.op_endpoint
        if not self._rules.allows(op_endpoint):
            raise AssertionRefused("openid-provider", "the provider is not allowed")
        name = _by_handle(op_endpoint, assertion.handle)
        association = await self._read(name, op_endpoint)
        if association is None:
            await self._ask_about(assertion)
        else:
            check_signature(assertion, association, self._clock.time())
        life = assertion.keep_for(self._clock.time(), self._window)
        if not await self._cache.mark(NONCES, assertion.mark, life):
            raise AssertionRefused("openid-replay", "this answer was used before")

    async def _ask_about(self, assertion: Assertion) -> None:
        """
        Ask a provider whether an answer is its own (section 11.4.2).

        Raises:
            AssertionRefused: It is not, or the provider does not say so.
            UnavailableError: There is no answer.
        """
        reply = await self._post(assertion.op_endpoint, build_check(assertion))
        if reply.status >= 500:
            raise UnavailableError(
                f"{_shown(assertion.op_endpoint)}: status {reply.status}"
            )
        checked = read_check(reply.status, reply.body)
        gone = checked.invalidate_handle
        if checked.is_valid and gone and gone == assertion.invalidate_handle:
            await self._forget(assertion.op_endpoint, gone)
        if not checked.is_valid:
            detail = "the provider says that it did not say so, or not now"
            raise AssertionRefused("openid-signature", detail)

    async def _ask(self, op_endpoint: str) -> Association | None:
        """Ask for an association, and keep what comes of it."""
        try:
            made = await self._negotiate(op_endpoint)
            if made is None or made.expires <= self._clock.time() + LEAST_LEFT:
                self._wait(op_endpoint)
            if made is not None:
                await self._keep(made)
            return made
        finally:
            self._asking.pop(op_endpoint, None)

    async def _negotiate(self, op_endpoint: str) -> Association | None:
        """Ask for one kind after the other, as far as the provider does not know it."""
        left = [each for each in self._offers if each.may_be_sent_to(op_endpoint)]
        for _ in range(_MOST_TRIES):
            if not left:
                break
            offer = left.pop(0)
            try:
                return await self._exchange(op_endpoint, offer)
            except AssociationError as e:
                problem = e.detail
                if not e.unsupported:
                    left.clear()
                if e.suggested in left:
                    left.remove(e.suggested)
                    left.insert(0, e.suggested)
            except UnavailableError as e:
                problem = e.what
                left.clear()
            _log.info(
                "No association {offer} with {provider}: {problem}",
                offer=offer,
                provider=_shown(op_endpoint),
                problem=problem,
            )
        return None

    async def _exchange(self, op_endpoint: str, offer: Offer) -> Association:
        """
        Ask for one kind of association.

        Raises:
            AssociationError: The provider gives none.
            UnavailableError: It does not answer, or there is too much to do here.
        """
        exchange = None
        if offer.exchanges:
            secret = secrets.randbits(SECRET_BITS) | _TOP_BIT
            exchange = await self._threads.run(begin_exchange, secret)
        reply = await self._post(op_endpoint, build_associate(offer, exchange))
        return await self._threads.run(
            read_association,
            reply.status,
            reply.body,
            offer,
            exchange,
            op_endpoint=op_endpoint,
            now=self._clock.time(),
        )

    async def _post(self, op_endpoint: str, fields: FormFields) -> HttpReply:
        return await self._http_client.post_form(
            op_endpoint, fields, max_bytes=MAX_ANSWER, tls=self._tls
        )

    def _wait(self, op_endpoint: str) -> None:
        """Ask a provider no more for a while."""
        self._retry_at[op_endpoint] = self._clock.monotonic() + RETRY_AFTER
        self._retry_at.move_to_end(op_endpoint)
        if len(self._retry_at) > _MOST_KNOWN:
            self._retry_at.popitem(last=False)

    async def _read(self, name: bytes, op_endpoint: str) -> Association | None:
        """Give what is kept under *name*, if it is that provider's and not over."""
        sealed = await self._cache.get(PURPOSE, name)
        octets = None if sealed is None else self._sealer.open(sealed, name)
        if octets is None:
            return None
        kept = Association.from_json(json.loads(octets))
        over = self._clock.time() >= kept.expires
        return None if over or kept.op_endpoint != op_endpoint else kept

    async def _keep(self, made: Association) -> None:
        octets = json.dumps(made.as_json()).encode("ascii")
        life = made.expires - self._clock.time()
        for name in (_by_handle(made.op_endpoint, made.handle), _current_of(made)):
            sealed = self._sealer.seal(octets, name)
            await self._cache.put(PURPOSE, name, sealed, max(1.0, life))

    async def _forget(self, op_endpoint: str, handle: str) -> None:
        await self._cache.delete(PURPOSE, _by_handle(op_endpoint, handle))
        current = await self._read(_current(op_endpoint), op_endpoint)
        if current is not None and current.handle == handle:
            await self._cache.delete(PURPOSE, _current(op_endpoint))


def _by_handle(op_endpoint: str, handle: str) -> bytes:
    """Name a provider's association; neither of the two has a null in it."""
    return sha256(f"handle\0{op_endpoint}\0{handle}".encode()).digest()


def _current(op_endpoint: str) -> bytes:
    """Name the association with which logins at a provider begin."""
    return sha256(f"current\0{op_endpoint}".encode()).digest()


def _current_of(made: Association) -> bytes:
    return _current(made.op_endpoint)


def _shown(url: str) -> str:
    """Give *url* as it may stand in a log."""
    return url.partition("?")[0]
