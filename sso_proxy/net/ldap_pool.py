"""A directory: a few connections for searches, and one for each who logs in."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock, IClosable
from sso_proxy.model import WARNING
from sso_proxy.net.ldap_options import LdapAccess, Place
from sso_proxy.net.ldap_values import (
    NO_SUCH_OBJECT,
    ROOT,
    SIZE_LIMIT,
    SUCCESS,
    Entry,
    Search,
    meaning,
)
from sso_proxy.net.no_reply import NoReplyError, Trouble
from sso_proxy.net.once import Once
from sso_proxy.net.standing import Standing
from sso_proxy.traffic import Histogram

if TYPE_CHECKING:
    from sso_proxy.net.ldap import LdapLink

_log = Logger()

Dial: TypeAlias = "Callable[[Place, LdapAccess, Any], Awaitable[LdapLink]]"
"""`sso_proxy.net.ldap_dial.dial`, which is not everywhere."""

QUIET: Final = 30.0
"""Seconds without a word after which a connection is tried before it is used: what
stands between us and the server may have forgotten it."""
MOST_WAITING: Final = 256
"""Searches, and likewise logins, that may wait."""
_WRONG: Final = frozenset({19, 32, 34, 48, 49, 50, 53})
"""Result codes of a bind that say: not with this name and password.  Besides wrong
passwords that is an entry without one, one that is locked, or none at all."""

DOWN: Final = "ldap-down"
REFUSED: Final = "ldap-refused"
BUSY: Final = "ldap-busy"
TOO_MANY: Final = "ldap-too-many"


@attrs.frozen
class TooManyError(UnavailableError):
    """There are more entries than may be found."""


@implementer(IClosable)
class LdapPool:
    """
    Searches a directory, and tries passwords there.

    Connections are made when there is something to ask.  A server that is down is tried
    once a second, and whoever asks in between hears so at once.

    Args:
        access: How the directory is reached.
        reactor: Connects, and measures time.
        clock: The time.
        dial: Makes a connection.

    Attributes:
        durations: How long searches and tries of passwords took, waiting for their turn
            and for connections included; not those that failed.
    """

    def __init__(
        self,
        access: LdapAccess,
        reactor: Any,  # noqa: ANN401
        clock: IClock,
        dial: Dial,
    ) -> None:
        self._dial = dial
        self._access = access
        self._reactor = reactor
        self._name = str(access.places[0])
        self._standing = Standing(clock, self._tell)
        self._first = 0
        self._closed = False
        self._slots = [_Slot(self, reactor) for _ in range(access.connections)]
        self._logins = DeferredSemaphore(access.logins)
        self._guests: set[LdapLink] = set()
        self._look = Once(self._try)
        self.durations = Histogram()

    async def search(self, search: Search) -> tuple[Entry, ...]:
        """
        Give the entries that *search* finds.

        References to other servers are not followed.

        Raises:
            TooManyError: There are more than wanted.
            UnavailableError: It cannot be searched.
        """
        slot = min(self._slots, key=lambda each: each.users)
        if slot.users >= MOST_WAITING:
            raise self._unavailable("too many searches", BUSY)
        slot.users += 1
        began = self._reactor.seconds()
        try:
            found = await self._search_in(slot, search)
        finally:
            slot.users -= 1
        self.durations.note(self._reactor.seconds() - began)
        return found

    async def log_in(self, name: str, password: str) -> "LdapGuest | None":
        """
        Try a password; gives the user's own connection, to be closed, if it is right.

        Args:
            name: The user's distinguished name.
            password: What they typed, not empty.

        Raises:
            ValueError: One of both is empty.
            UnavailableError: It cannot be tried.
        """
        if not name or not password:
            raise ValueError("a bind needs a name and a password")
        if len(self._logins.waiting) >= MOST_WAITING:
            raise self._unavailable("too many logins", BUSY)
        began = self._reactor.seconds()
        await self._logins.acquire()
        try:
            guest = await self._log_in(name, password)
        except BaseException:
            self._logins.release()
            raise
        self.durations.note(self._reactor.seconds() - began)
        if guest is None:
            self._logins.release()
        return guest

    async def probe(self) -> tuple[str, ...]:
        """Say what is wrong, as far as is known; and look, for the next who asks."""
        problem = self._standing.problem
        if not problem:
            return ()
        if not self._look.running and not self._closed:
            self._look.begin()
        return (f"{WARNING}{self._name}: {problem}",)

    def close(self) -> None:
        """End all connections."""
        self._closed = True
        for slot in self._slots:
            slot.close()
        for link in [*self._guests]:
            link.close()

    async def connect(self) -> "LdapLink":
        """
        Connect to the first server that answers, as nobody yet.

        Raises:
            UnavailableError: None does.
        """
        if self._is_closed():
            raise self._unavailable("closed", DOWN)
        if not self._standing.admit():
            raise self._unavailable(self._standing.problem, DOWN)
        places = self._access.places
        for number in range(len(places)):
            at = (self._first + number) % len(places)
            try:
                link = await self._dial(places[at], self._access, self._reactor)
            except NoReplyError as e:
                failed = e
                continue
            if self._is_closed():  # meanwhile
                link.close()
                raise self._unavailable("closed", DOWN)
            self._first = at
            return link
        raise self.failed(failed)

    async def connect_as_ourselves(self) -> "LdapLink":
        """
        Connect, and be known as who searches.

        Raises:
            UnavailableError: That does not work.
        """
        link = await self.connect()
        access = self._access
        password = access.bind_password
        try:
            if access.auth == "simple" and password is not None:
                code = await link.bind(access.bind_dn, password.reveal())
            elif access.auth == "external":
                code = await link.bind_by_certificate()
            else:
                code = SUCCESS
        except NoReplyError as e:
            raise self.failed(e) from None
        if code == SUCCESS:
            self._standing.note()
            link.served = False
            return link
        link.close()
        problem = f"does not let us in: {meaning(code)}"
        self._standing.note(problem, counts=True)
        raise self._unavailable(problem, REFUSED)

    def failed(self, error: NoReplyError) -> UnavailableError:
        """Keep account of a server that does not answer."""
        self._standing.note(error.problem, counts=error.trouble is not Trouble.GARBLED)
        return self._unavailable(error.problem, DOWN, error.status)

    def let_go(self, link: "LdapLink") -> None:
        """End the connection of somebody who has logged in."""
        self._guests.discard(link)
        link.close()
        self._logins.release()

    def read(self, code: int, entries: tuple[Entry, ...], search: Search) -> Any:  # noqa: ANN401
        """
        Give what was found, if the result is one.

        Raises:
            TooManyError: There was more.
            UnavailableError: It is none.
        """
        if code == SUCCESS:
            return entries
        if code == NO_SUCH_OBJECT and search.scope == "base":
            return ()
        if code == SIZE_LIMIT:
            what = f"{self._name}: more than {search.most} entries"
            raise TooManyError(what, reason=TOO_MANY)
        raise self._unavailable(f"does not search: {meaning(code)}", REFUSED)

    async def _search_in(self, slot: "_Slot", search: Search) -> tuple[Entry, ...]:
        for again in (True, False):
            link = await slot.get()
            served = link.served
            try:
                result = await link.search(search)
            except NoReplyError as e:
                # A kept connection may have ended meanwhile: that says nothing.
                if again and served and e.trouble is Trouble.UNREACHABLE:
                    continue
                raise self.failed(e) from None
            self._standing.note()
            entries: tuple[Entry, ...] = self.read(result.code, result.entries, search)
            return entries
        raise AssertionError  # the second time either returns or raises

    async def _log_in(self, name: str, password: str) -> "LdapGuest | None":
        link = await self.connect()
        self._guests.add(link)
        try:
            code = await link.bind(name, password)
        except NoReplyError as e:
            self._guests.discard(link)
            raise self.failed(e) from None
        except BaseException:
            self._guests.discard(link)
            link.close()
            raise
        if code == SUCCESS:
            self._standing.note()
            return LdapGuest(self, link)
        self._guests.discard(link)
        link.close()
        if code in _WRONG:
            self._standing.note()
            return None
        problem = f"does not try passwords: {meaning(code)}"
        self._standing.note(problem)
        raise self._unavailable(problem, REFUSED)

    async def _try(self) -> None:
        """Find out whether the directory answers again."""
        try:
            await self.search(ROOT)
        except UnavailableError:
            return

    def _is_closed(self) -> bool:
        return self._closed

    def _unavailable(
        self, problem: str, reason: str, status: int = 503
    ) -> UnavailableError:
        return UnavailableError(
            f"{self._name}: {problem}", reason=reason, status=status
        )

    def _tell(self, problem: str) -> None:
        """Log what is news."""
        if problem:
            _log.warn("{name}: {why}", name=self._name, why=problem)
        else:
            _log.info("{name} answers again", name=self._name)


class LdapGuest:
    """A connection of somebody who has logged in: they see what they may see."""

    def __init__(self, pool: LdapPool, link: "LdapLink") -> None:
        self._pool = pool
        self._link: LdapLink | None = link

    async def search(self, search: Search) -> tuple[Entry, ...]:
        """Search as them; as `LdapPool.search`."""
        if self._link is None:
            raise RuntimeError("they have left")
        try:
            result = await self._link.search(search)
        except NoReplyError as e:
            raise self._pool.failed(e) from None
        entries: tuple[Entry, ...] = self._pool.read(
            result.code, result.entries, search
        )
        return entries

    def close(self) -> None:
        """Leave."""
        if self._link is not None:
            self._pool.let_go(self._link)
            self._link = None


class _Slot:
    """
    The place of one connection.

    Attributes:
        users: How many use it, or wait for it.
    """

    def __init__(self, pool: LdapPool, reactor: Any) -> None:  # noqa: ANN401
        self.users = 0
        self._pool = pool
        self._reactor = reactor
        self._link: LdapLink | None = None
        self._made: Once[LdapLink] = Once(self._make)

    async def get(self) -> "LdapLink":
        """Give the connection, or a new one."""
        link = self._link
        if (
            link is not None
            and link.is_usable
            and self._reactor.seconds() - link.heard < QUIET
        ):
            return link
        return await self._made.join()

    async def _make(self) -> "LdapLink":
        link = self._link
        if link is not None and link.is_usable:
            try:
                await link.search(ROOT)
            except NoReplyError:
                pass
            else:
                return link
        self._link = await self._pool.connect_as_ourselves()
        return self._link

    def close(self) -> None:
        """End it."""
        if self._link is not None:
            self._link.close()
