"""What tokens that are made here say about a caller."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address, ip_address

from sso_proxy.model import ANONYMOUS, Caller, Identity
from sso_proxy.specs.claims import ClaimPath, claim_at


def end_of(caller: Caller) -> float:
    """Give when what we say about *caller* stops being true."""
    ends = [float("inf")]
    if caller.identity is not None and caller.identity.expires is not None:
        ends.append(caller.identity.expires)
    if caller.request.session is not None:
        ends.append(caller.request.session.expires)
    return min(ends)


def somebody(caller: Caller) -> Identity | None:
    """Give who *caller* is, if it is somebody in particular."""
    identity = caller.identity
    if identity is None or identity.issuer == ANONYMOUS:
        return None
    return identity


def text_at(identity: Identity, path: ClaimPath) -> str:
    """Give the text or whole number of a claim; empty if there is none."""
    value = claim_at(identity.claims, path)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)


def words_at(identity: Identity, paths: Sequence[ClaimPath]) -> list[str]:
    """Give all texts of claims that are texts or lists of them."""
    found: list[str] = []
    for path in paths:
        value = claim_at(identity.claims, path)
        values = value if isinstance(value, list | tuple) else [value]
        found += [each for each in values if isinstance(each, str)]
    return found


def rights_of(
    words: Sequence[str],
    table: Mapping[str, Sequence[str]],
    always: Sequence[str],
) -> tuple[str, ...]:
    """
    Give the tokens of a ticket, each once and in order.

    Args:
        words: What the caller's claims say.
        table: What of it means which tokens; empty: each word is one.  A word with a
            comma, a semicolon or a control character never is: it would be several.
        always: Tokens that everybody has.
    """
    found = set(always)
    for word in words:
        if table:
            found.update(table.get(word, ()))
        elif _is_token(word):
            found.add(word)
    return tuple(sorted(found))


def _is_token(word: str) -> bool:
    """Say whether a word is one token for whoever reads tickets."""
    return word.isprintable() and word == word.strip() != "" and not {*word} & {*",;!"}


def address_of(caller: Caller) -> str:
    """Give the client's IP address as Apache writes it; empty if it has none."""
    try:
        address = ip_address(caller.request.client.address)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
