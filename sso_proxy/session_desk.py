"""What operators ask about browser sessions, answered by a process that serves."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from sso_proxy.edge.site import Site
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ISessionStore
from sso_proxy.session import Session
from sso_proxy.session_log import SessionLog

Stores = Mapping[str, ISessionStore]
"""What keeps sessions, by the names of their tables."""


async def manage_sessions(stores: Stores, document: object) -> dict[str, Any]:
    """
    Do what *document* says: ``do`` is ``list`` or ``end``.

    A user is named by ``issuer`` and ``subject``; one session, to be ended, by ``id``.

    Returns:
        ``status``, as of HTTP; ``sessions`` that there are, or the tables in which some
        were ``ended``; what is ``missing``, one line each; or a ``problem``.
    """
    match document:
        case {"do": "list", "issuer": str(issuer), "subject": str(subject), **rest}:
            if not rest:
                return await _list(stores, issuer, subject)
        case {"do": "end", "issuer": str(issuer), "subject": str(subject), **rest}:
            if not rest:
                return await _end(stores, lambda s: _end_user(s, issuer, subject))
        case {"do": "end", "id": str(session_id), **rest}:
            if not rest:
                return await _end(stores, lambda store: store.revoke(session_id))
        case _:
            pass
    return {"status": 400, "problem": "say what to do, with a user or an id"}


def close_ended(
    stores: Stores,
    sites: Iterable[Site],
    spawn: Callable[[Any], None],
    begun: SessionLog | None = None,
) -> None:
    """
    Stop what goes on at *sites* for sessions that have ended, here or elsewhere.

    Args:
        stores: What keeps sessions.
        sites: Where requests are under way.
        spawn: Runs in the background what has to wait.
        begun: Has to forget them.
    """
    sites = tuple(sites)
    taken = {name: store.take_ended() for name, store in stores.items()}
    found = [ended for ended in taken.values() if ended is not None]
    for name, ended in taken.items():
        if ended is not None and begun is not None:
            begun.drop(name, ended.has)
    if found:
        for site in sites:
            site.end_sessions(lambda session: any(each.has(session) for each in found))

    for name, store in stores.items():
        if store.take_missed():
            spawn(_close_missed(name, store, sites))


async def _close_missed(name: str, store: ISessionStore, sites: Iterable[Site]) -> None:
    """Look whether the sessions of *store* that something is done for are over."""
    found: dict[str, Session] = {}

    def note(session: Session) -> bool:
        if session.kept_in == name:
            found[session.id] = session
        return False

    for site in sites:
        site.end_sessions(note)
    over = set()
    for session in found.values():
        try:
            if await store.newest(session) is None:
                over.add(session.id)
        except UnavailableError:
            store.miss()
            break
    for site in sites if over else ():
        site.end_sessions(lambda session: session.id in over)


async def _list(stores: Stores, issuer: str, subject: str) -> dict[str, Any]:
    sessions, missing = [], []
    for name, store in stores.items():
        try:
            found = await store.sessions_of(issuer, subject)
        except UnavailableError as e:
            missing.append(f"session.{name}: there is no {e.what}")
            continue
        sessions += [
            {
                "in": name,
                "id": each.id,
                "created": each.created,
                "used": each.used,
                "device": each.device,
            }
            for each in found
        ]
    return {"status": 200, "sessions": sessions, "missing": missing}


async def _end(
    stores: Stores, end: Callable[[ISessionStore], Awaitable[bool]]
) -> dict[str, Any]:
    ended, missing = [], []
    for name, store in stores.items():
        try:
            if await end(store):
                ended.append(name)
        except UnavailableError as e:
            missing.append(f"session.{name}: there is no {e.what}")
    if not ended and not missing:
        return {"status": 404, "problem": "there is no such session"}
    return {"status": 503 if missing else 200, "ended": ended, "missing": missing}


async def _end_user(store: ISessionStore, issuer: str, subject: str) -> bool:
    await store.revoke_user(issuer, subject)
    return True
