"""
What sessions have in common, so that they end together.

All of a user, and all that come from one session at a provider: its name there is the
member ``sid`` of what an authenticator keeps.
"""

from typing import Final, Literal

from sso_proxy.session import Session

Kind = Literal["sub", "sid"]
Group = tuple[Kind, str, str]
"""What the sessions have in common, its issuer, and its name there."""

_LONGEST: Final = 255
"""Characters of a name that a provider may give a session."""


def user_of(session: Session) -> Group:
    """Give the group of all sessions of its user."""
    identity = session.identity
    return "sub", identity.issuer, identity.subject


def sid_of(session: Session) -> Group | None:
    """Give the group of all that come from one session at the provider, if known."""
    sid = session.data.get("sid")
    if not isinstance(sid, str) or not 0 < len(sid) <= _LONGEST:
        return None
    return "sid", session.identity.issuer, sid


def groups_of(session: Session) -> list[Group]:
    """Give all groups that *session* belongs to."""
    sid = sid_of(session)
    return [user_of(session)] if sid is None else [user_of(session), sid]


def is_older(session: Session, group: Group, before: float) -> bool:
    """
    Say whether *session*, of *group*, is of those that began no later than *before*.

    A login takes a while: what was issued at the provider before its session there was
    over may become one of ours after that.  A provider does not use the name again,
    other than that of a user.
    """
    since = session.created
    issued = session.identity.claims.get("iat")
    if group[0] == "sid" and isinstance(issued, int | float):
        since = min(since, issued)
    return since <= before
