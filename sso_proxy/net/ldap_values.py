"""What a directory is asked, and what it says, as values."""

from collections.abc import Mapping
from typing import Final

import attrs

from sso_proxy.net.ldap_options import Scope
from sso_proxy.net.no_reply import NoReplyError, Trouble
from sso_proxy.specs.ldap import ANYTHING, Filter

SUCCESS: Final = 0
SIZE_LIMIT: Final = 4
NO_SUCH_OBJECT: Final = 32
_MEANINGS: Final = {
    1: "operationsError",
    2: "protocolError",
    3: "timeLimitExceeded",
    4: "sizeLimitExceeded",
    7: "authMethodNotSupported",
    8: "strongerAuthRequired",
    10: "referral, and none is followed",
    13: "confidentialityRequired",
    32: "noSuchObject",
    34: "invalidDNSyntax",
    48: "inappropriateAuthentication",
    49: "invalidCredentials",
    50: "insufficientAccessRights",
    51: "busy",
    52: "unavailable",
    53: "unwillingToPerform",
}


def meaning(code: int) -> str:
    """Say what a result code means, without what the server says besides."""
    return _MEANINGS.get(code, f"result code {code}")


@attrs.frozen(kw_only=True)
class Search:
    """
    A search.

    Attributes:
        base: Where it begins.
        scope: How far it goes.
        filter: Which entries are wanted.
        attributes: What is wanted of each.
        most: Entries that may be found.
    """

    base: str
    scope: Scope = "subtree"
    filter: Filter = attrs.field(default=ANYTHING, repr=False)
    attributes: tuple[str, ...] = ()
    most: int = 2


ROOT: Final = Search(base="", scope="base", attributes=(), most=1)
"""What every server answers: its root entry (RFC 4512 section 5.1)."""


@attrs.frozen
class Entry:
    """
    What was found.

    Attributes:
        name: Its distinguished name, as the server writes it.
        values: By attribute, small letters.
    """

    name: str = attrs.field(repr=False)
    values: Mapping[str, tuple[bytes, ...]] = attrs.field(repr=False)

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Give the values of *attribute* that are text, in the server's order."""
        texts = []
        for value in self.values.get(attribute.lower(), ()):
            try:
                texts.append(value.decode())
            except UnicodeDecodeError:
                continue
        return tuple(texts)


@attrs.frozen
class Result:
    """
    How an operation ended.

    Attributes:
        code: The result code; `SIZE_LIMIT` if there was more than was wanted.
        entries: What was found.
    """

    code: int
    entries: tuple[Entry, ...] = ()


def no_reply(name: str, problem: str, trouble: Trouble) -> NoReplyError:
    """Say that the server called *name* gave no answer, and why."""
    status = 504 if trouble is Trouble.TIMEOUT else 503
    return NoReplyError(
        f"{name}: {problem}", problem=problem, trouble=trouble, status=status
    )
