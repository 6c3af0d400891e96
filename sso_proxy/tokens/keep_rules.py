"""For how long tokens that others issued are kept."""

from typing import Final, Literal

import attrs

from sso_proxy.config.checks import between
from sso_proxy.token import Token

_YEAR: Final = 366 * 86400.0

_SHARE: Final = 0.1
"""Of what a token has left, the most that may go unused."""
_RENEWED: Final = 0.75
"""Of the time that a token is used, after which a new one is got."""


@attrs.frozen(kw_only=True)
class KeepRules:
    """
    How tokens from a server are kept, to be used for more than one request.

    Attributes:
        max_age: Seconds that a token is used at most.
        unsaid: Seconds that one is used whose server does not say how long it is good.
        margin: Seconds before its end when a token is used no more; a tenth of what it
            has left, if that is less.
        negative: Seconds that a refusal is believed, before the server is asked again;
            0: every request asks.
        size: Tokens that each process keeps in memory.
        timeout: Seconds that a request waits for a token at most, whoever gets it.
        cache: The cache that processes and machines share tokens by; unset, the default
            one; "": none, each process gets its own.
        cache_down: While that cache is down, each process gets its own tokens
            ("local"), or those that have none are answered 503 ("refuse").
    """

    max_age: float = attrs.field(default=3600.0, validator=between(1, _YEAR))
    unsaid: float = attrs.field(default=300.0, validator=between(0, _YEAR))
    margin: float = attrs.field(default=30.0, validator=between(0, 3600))
    negative: float = attrs.field(default=5.0, validator=between(0, 300))
    size: int = attrs.field(default=10000, validator=between(1, 10**7))
    timeout: float = attrs.field(default=30.0, validator=between(0.1, 300))
    cache: str | None = None
    cache_down: Literal["local", "refuse"] = "local"


@attrs.frozen(kw_only=True)
class Span:
    """
    How long a token is used.  Both are seconds since the epoch.

    Attributes:
        renew: When a new one is got in good time; *ends* if there is no sense in that.
        ends: When it is used no more.
    """

    renew: float
    ends: float


def span_of(
    token: Token, until: float | None, now: float, rules: KeepRules
) -> Span | None:
    """
    Say how long *token*, which has just come, is used; None if it is not kept at all.

    Args:
        token: The token.
        until: When what it was made from ends, in seconds since the epoch; None if
            that has no end.  Nothing that comes later would last longer.
        now: The time.
        rules: How tokens are kept.
    """
    said = token.expires is not None
    end = now + (rules.max_age if said else min(rules.unsaid, rules.max_age))
    if token.expires is not None:
        end = min(end, token.expires)
    last = until is not None and until <= end
    if until is not None:
        end = min(end, until)
    left = end - now
    if not left > 0:
        return None
    used = left - min(rules.margin, left * _SHARE)
    ends = now + used
    if not ends > now:  # too short for the resolution of the clock
        return None
    return Span(renew=ends if last else now + used * _RENEWED, ends=ends)
