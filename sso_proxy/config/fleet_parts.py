"""Options of several machines that serve the same."""

import attrs

from sso_proxy.config.checks import between, non_empty


@attrs.frozen(kw_only=True)
class RevocationsConfig:
    """
    How machines share what operators revoke.

    Attributes:
        cache: The cache that has the list, on all machines the same; one of the type
            ``redis``.
        stale: Seconds that what was last read of it is gone by while the cache does not
            answer.  After that, and from a start until it was read once, everybody but
            anonymous is answered 503.
    """

    cache: str = attrs.field(validator=non_empty)
    stale: float = attrs.field(default=30.0, validator=between(5.0, 86400.0))
