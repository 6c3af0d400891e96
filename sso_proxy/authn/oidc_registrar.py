"""
Our registrations with providers: got when there is none, kept in files, renewed.

A file is for all processes of this machine, and they change it one at a time: two
registrations for one provider would make one of them another client than the other,
and logins that begin here and end there would fail.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from sso_proxy.config.private_file import read_private, write_private
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.specs.oauth.registration import (
    MAX_REGISTRATION,
    Registration,
    RegistrationError,
    read_registration,
    update_members,
)

_log = Logger()

AGAIN: Final = 30.0
"""Seconds until a provider is asked again that did not register us."""
_PATIENCE: Final = 20.0
"""Seconds to wait for another process that registers."""
_STEP: Final = 0.1
_MOST_FAILURES: Final = 1000
_JSON: Final = "application/json"

Endpoint = Callable[[], Awaitable[str]]
"""Gives the URL at which to register; UnavailableError: nobody knows it now."""


@attrs.frozen(kw_only=True)
class Wish:
    """
    What we want to be known as by one provider.

    Attributes:
        issuer: The provider.
        members: What we say of ourselves.
        endpoint: Where to register.
        token: What it wants to see for that, or None.
        http_client: Asks it.
        tls: Our certificate, and whom to trust.
    """

    issuer: str
    members: Mapping[str, Any]
    endpoint: Endpoint
    token: str | None = attrs.field(default=None, repr=False)
    http_client: HttpClient
    tls: ClientTls | None = None


@attrs.frozen
class _Stored:
    """A file: what we said of ourselves, and what came of it."""

    sent: Mapping[str, Any]
    registration: Registration


class Registrar:
    """
    Keeps registrations.

    Args:
        name: Of the authenticator: its registrations are its own.
        directory: Where the files are; made if need be.
        clock: The time.
        reactor: Measures time while another process registers.
        renew_before: Seconds before a secret ends when a new one is got.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        clock: IClock,
        reactor: Any,  # noqa: ANN401
        renew_before: float,
    ) -> None:
        self._name = name
        self._directory = directory
        self._clock = clock
        self._reactor = reactor
        self._renew_before = renew_before
        self._retry_at: dict[str, float] = {}

    def stored(self, issuer: str) -> Registration | None:
        """Give the registration that there is, if it is good now; asks nobody."""
        stored = self._read(issuer)
        if stored is None or stored.registration.expires_before(self._clock.time()):
            return None
        return stored.registration

    async def registration(self, wish: Wish) -> Registration:
        """
        Give our registration with a provider, as we wish it to be.

        One that is still good, and cannot be renewed or changed now, is used.

        Args:
            wish: What it is to be.

        Raises:
            UnavailableError: There is none, and it cannot be got now.
        """
        stored = self._read(wish.issuer)
        if stored is not None and self._is_right(stored, wish):
            return stored.registration
        usable = self.stored(wish.issuer)
        if self._clock.monotonic() < self._retry_at.get(wish.issuer, float("-inf")):
            return self._without(wish, usable, "failed a moment ago")
        try:
            async with self._turn(wish.issuer):
                return await self._change(wish)
        except (RegistrationError, UnavailableError) as e:
            self._fail(wish.issuer)
            what = (
                e.what
                if isinstance(e, UnavailableError)
                else f"{e.error} {e.detail}".strip()
            )
            return self._without(wish, usable, what)

    async def _change(self, wish: Wish) -> Registration:
        """Register, or change what there is; another process may have done so."""
        stored = self._read(wish.issuer)
        if stored is not None and self._is_right(stored, wish):
            return stored.registration
        if stored is not None:
            try:
                updated = await self._update(wish, stored.registration)
            except (RegistrationError, UnavailableError) as e:
                _log.warn("No update at {issuer}: {e}", issuer=wish.issuer, e=e)
                updated = None
            if updated is not None and not self._is_ending(updated):
                self._write(wish, updated)
                return updated
        registration = await self._register(wish)
        self._write(wish, registration)
        _log.info(
            "Registered with {issuer} as {client}",
            issuer=wish.issuer,
            client=registration.client_id,
        )
        return registration

    async def _register(self, wish: Wish) -> Registration:
        """Register (RFC 7591 section 3)."""
        headers = {"Accept": _JSON}
        if wish.token is not None:
            headers["Authorization"] = f"Bearer {wish.token}"
        url = await wish.endpoint()
        reply = await wish.http_client.send_json(
            "POST", url, wish.members, headers, tls=wish.tls
        )
        found = read_registration(reply.status, reply.body, issuer=wish.issuer)
        return _complete(found, wish.members)

    async def _update(self, wish: Wish, before: Registration) -> Registration | None:
        """Change what there is (RFC 7592 section 2.2); None if that cannot be done."""
        if before.client_uri is None or before.access_token is None:
            return None
        headers = {"Accept": _JSON, "Authorization": f"Bearer {before.access_token}"}
        members = update_members(before, wish.members)
        reply = await wish.http_client.send_json(
            "PUT", before.client_uri, members, headers, tls=wish.tls
        )
        found = read_registration(
            reply.status, reply.body, issuer=wish.issuer, before=before
        )
        return _complete(found, wish.members)

    def _is_right(self, stored: _Stored, wish: Wish) -> bool:
        same = stored.sent == wish.members
        return same and not self._is_ending(stored.registration)

    def _is_ending(self, registration: Registration) -> bool:
        return registration.expires_before(self._clock.time() + self._renew_before)

    def _fail(self, issuer: str) -> None:
        self._retry_at.pop(issuer, None)
        self._retry_at[issuer] = self._clock.monotonic() + AGAIN
        if len(self._retry_at) > _MOST_FAILURES:
            del self._retry_at[next(iter(self._retry_at))]

    def _without(
        self, wish: Wish, usable: Registration | None, why: str
    ) -> Registration:
        """Go on with what there is."""
        what = f"registration with {wish.issuer}: {why}"
        if usable is None:
            raise UnavailableError(what)
        _log.warn("An old one in use: {what}", what=what)
        return usable

    def _path(self, issuer: str) -> Path:
        named = hashlib.sha256(f"{self._name}\n{issuer}".encode()).hexdigest()
        return self._directory / f"{named[:32]}.json"

    def _read(self, issuer: str) -> _Stored | None:
        """Read the file, if there is one that is whole."""
        try:
            content = read_private(self._path(issuer), 4 * MAX_REGISTRATION)
            raw = json.loads(content)
            if raw["issuer"] != issuer:
                return None
            answer = json.dumps(raw["answer"]).encode()
            found = read_registration(201, answer, issuer=issuer)
            return _Stored(raw["sent"], _complete(found, raw["sent"]))
        except FileNotFoundError:
            return None
        except ConfigError as e:
            raise UnavailableError(f"registration with {issuer}: {e}") from e
        except (ValueError, KeyError, TypeError, RegistrationError) as e:
            _log.error("Not used: {path}: {e!r}", path=self._path(issuer), e=e)
            return None

    def _write(self, wish: Wish, registration: Registration) -> None:
        """Write the file, all of it or nothing."""
        answer = {
            **registration.members,
            "client_secret": registration.client_secret,
            "client_secret_expires_at": registration.secret_expires_at,
            "registration_access_token": registration.access_token,
            "registration_client_uri": registration.client_uri,
        }
        raw = {"issuer": wish.issuer, "sent": wish.members, "answer": answer}
        self._retry_at.pop(wish.issuer, None)
        try:
            content = json.dumps(raw, indent=1).encode()
            write_private(self._path(wish.issuer), content, replace=True)
        except OSError as e:
            what = f"registration with {wish.issuer}: {e.strerror}"
            raise UnavailableError(what) from e

    @asynccontextmanager
    async def _turn(self, issuer: str) -> AsyncIterator[None]:
        """
        Be the only one, in whichever process, who changes a registration.

        A process that is killed leaves no lock behind.

        Raises:
            UnavailableError: Another takes too long.
        """
        path = self._path(issuer).with_suffix(".lock")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise UnavailableError(f"{path}: {e.strerror}") from e
        try:
            until = self._clock.monotonic() + _PATIENCE
            while not _try_lock(lock):
                if self._clock.monotonic() >= until:
                    raise UnavailableError(f"{path}: another process has it")
                await self._pause()
            yield
        finally:
            os.close(lock)

    def _pause(self) -> Deferred[None]:
        paused: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._reactor.callLater(_STEP, paused.callback, None)
        return paused


def _complete(registration: Registration, sent: Mapping[str, Any]) -> Registration:
    """Fill in what the provider has not said: it is as we wished."""
    auth = registration.auth_method or sent.get("token_endpoint_auth_method", "")
    return attrs.evolve(registration, auth_method=auth)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
