"""
What a page is told of its user's session: JSON that has what was chosen, no more.

Nothing is there because somebody forgot to take it out: each member is put in by name.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from sso_proxy.session import Session

_ESCAPED: Final = {ord(c): f"\\u{ord(c):04x}" for c in "<>&"}
"""What a browser that took JSON for HTML would need to find anything in it."""


def build_session_info(
    session: Session,
    user: str,
    *,
    show: Collection[str],
    claims: Collection[str],
    inactive_at: float,
) -> dict[str, Any]:
    """
    Say about *session* what may be shown; times are whole seconds since the epoch.

    Times are rounded down: nothing lasts less long than it says.

    Args:
        session: The session.
        user: What the backend calls its user; empty for nobody in particular.
        show: Names of what is shown, as in `SessionInfoConfig`.
        claims: Names of claims that are shown besides.
        inactive_at: When the session is over without more use.
    """
    identity, data = session.identity, session.data
    told: dict[str, Any] = {}
    if "remote_user" in show:
        told["remote_user"] = user
    if claims:
        found = identity.claims
        told["claims"] = {name: found[name] for name in claims if name in found}
    for source in ("id_token", "userinfo"):
        if source in show and source in identity.sources:
            told[source] = dict(identity.sources[source])
    if "scope" in show:
        told["scope"] = " ".join(sorted(identity.scopes))
    if "times" in show:
        told["created"] = int(session.created)
        told["expires"] = int(session.expires)
        told["inactive_at"] = int(inactive_at)
    if "access_token_expires" in show and data.get("access_expires") is not None:
        told["access_token_expires"] = int(data["access_expires"])
    if "access_token" in show and data.get("access_token") is not None:
        told["access_token"] = data["access_token"]
        told["token_type"] = data.get("token_type", "Bearer")
    return told


def write_plain_json(members: Mapping[str, Any]) -> bytes:
    """
    Write JSON in which a browser that takes it for something else finds nothing.

    Raises:
        ValueError: A number is none that JSON has.
    """
    text = json.dumps(members, allow_nan=False)
    return text.translate(_ESCAPED).encode("ascii") + b"\n"
