"""Where requests come from, as far as it makes a difference to what is decided."""

import attrs

from sso_proxy.admission import Connection


class Place:
    """
    Where requests come from: it is the same for connections that are alike.

    Attributes:
        facts: What is known of them.
    """

    __slots__ = ("__weakref__", "facts")

    def __init__(self, facts: Connection) -> None:
        if facts.tls is not None:  # not even the means to tell them apart
            facts = attrs.evolve(facts, tls=attrs.evolve(facts.tls, exporter=None))
        self.facts = facts
