"""What routes must not say differently about the session of one user."""

from collections.abc import Iterator
from typing import Final

from sso_proxy.config.draft import Draft, Placed
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import Mistake

_ALIKE: Final = (
    "session_info",
    "authenticate",
    "session",
    "login",
    "binding",
    "map_user",
    "require",
    "policy",
    "cors",
)
"""All that decides on who may ask, and on what they are told."""


def check_session_info(draft: Draft) -> Iterator[Mistake]:
    """Check that routes whose pages ask in one place give one answer."""
    first: dict[tuple[str, str], Placed[RouteConfig]] = {}
    for route in draft.routes:
        config = route.value
        if config.session_info is None:
            continue
        path = join(route.path, "session_info")
        other = first.setdefault((config.host, config.endpoints), route)
        for option in _ALIKE:
            if getattr(config, option) != getattr(other.value, option):
                problem = (
                    f"{other.path} answers at {config.endpoints}session, too, and has"
                    f" another {option}; leave this table out of one of them, or give"
                    " it other endpoints"
                )
                yield Mistake(path, problem)
                break
        for number, claim in enumerate(config.session_info.claims):
            if claim in config.session_info.claims[:number]:
                problem = f"{claim!r} stands here twice"
                yield Mistake(join(join(path, "claims"), number), problem)
