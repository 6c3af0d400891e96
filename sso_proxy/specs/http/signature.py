"""
HTTP Message Signatures (RFC 9421): what of a request is signed, and how it is written.

Requests only.  Of the parameters of components there are ``name`` of ``@query-param``
and ``bs``; what else a component may say is refused, never left out.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, unquote_plus

import attrs

from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.http.structured import (
    Bare,
    InnerList,
    Item,
    write_dictionary,
    write_member,
)

_BINARY: Final = ("bs", True)


@attrs.frozen(kw_only=True)
class SignedRequest:
    """
    A request as its recipient sees it.

    Attributes:
        method: The method.
        target: The target as it stands in the request line, in origin form.
        scheme: ``http`` or ``https``: how the recipient was reached.
        fields: Values by lower-case name, one for each field line, without blanks
            around them; octets are Latin-1 characters.
    """

    method: str
    target: str
    scheme: str
    fields: Mapping[str, tuple[str, ...]] = attrs.field(repr=False)

    @property
    def authority(self) -> str:
        """
        Give the normalised ``Host`` (section 2.2.3).

        Raises:
            ValueError: There is not exactly one.
        """
        return self.host.lower().removesuffix(f":{DEFAULT_PORTS[self.scheme]}")

    @property
    def host(self) -> str:
        """
        Give the one ``Host`` as it stands there.

        Raises:
            ValueError: There is not exactly one.
        """
        hosts = self.fields.get("host", ())
        if len(hosts) != 1:
            raise ValueError("the request has not exactly one Host")
        return hosts[0]

    @property
    def target_uri(self) -> str:
        """
        Give the URI of the target, of which nothing is normalised (section 2.2.2).

        Raises:
            ValueError: There is not exactly one ``Host``.
        """
        return f"{self.scheme}://{self.host}{self.target}"


_READ: Final[Mapping[str, Callable[[SignedRequest], str]]] = {
    "@method": lambda request: request.method,
    "@target-uri": lambda request: request.target_uri,
    "@authority": lambda request: request.authority,
    "@scheme": lambda request: request.scheme,
    "@request-target": lambda request: request.target,
    "@path": lambda request: request.target.partition("?")[0] or "/",
    "@query": lambda request: "?" + request.target.partition("?")[2],
}

DERIVED: Final = frozenset(_READ)
"""The components that every request has and that take no parameters (section 2.2)."""


@attrs.frozen(kw_only=True)
class SignatureParameters:
    """
    What a signature says of itself (section 2.3).

    Attributes:
        created: Whole seconds since the epoch.
        expires: Likewise, or None.
        nonce: A value that no other signature has, or None.
        alg: The algorithm, as in the registry.
        keyid: What the verifier calls the key.
        tag: What the signature is for.
    """

    created: int
    expires: int | None = None
    nonce: str | None = None
    alg: str
    keyid: str
    tag: str

    def listed(self) -> tuple[tuple[str, Bare], ...]:
        """Give those that there are."""
        every: tuple[tuple[str, Bare | None], ...] = (
            ("created", self.created),
            ("expires", self.expires),
            ("nonce", self.nonce),
            ("alg", self.alg),
            ("keyid", self.keyid),
            ("tag", self.tag),
        )
        return tuple((name, value) for name, value in every if value is not None)


def read_field_lines(block: bytes) -> dict[str, tuple[str, ...]]:
    """
    Read serialised field lines, for `SignedRequest.fields`.

    Args:
        block: Lines of ``Name: value``, each ended by CR LF; an empty one ends them.

    Raises:
        ValueError: A line has no colon.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in block.decode("latin-1").split("\r\n"):
        if not line:
            break
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("a field line has no colon")
        key = name.lower()
        found[key] = (*found.get(key, ()), value.strip(" \t"))
    return found


def cover(names: Iterable[str], request: SignedRequest) -> tuple[Item, ...]:
    """
    Give the components of *request* that are named, each once.

    Fields that the request does not have cannot be signed and are left out.  Those with
    characters beyond ASCII are signed by their octets (``bs``, section 2.1.3).
    """
    items = []
    for name in dict.fromkeys(names):
        if name in DERIVED:
            items.append(Item(name))
        elif name in request.fields:
            plain = all(value.isascii() for value in request.fields[name])
            items.append(Item(name, () if plain else (_BINARY,)))
    return tuple(items)


def is_binary(item: Item) -> bool:
    """Say whether a component is a field that is signed by its octets."""
    return len(item.parameters) == 1 and (
        item.parameters[0][0] == "bs" and item.parameters[0][1] is True
    )


def signature_base(covered: InnerList, request: SignedRequest) -> bytes:
    """
    Give the octets that are signed (section 2.5).

    Args:
        covered: The components, with the signature's parameters.
        request: The request.

    Raises:
        ValueError: A component is not known, not there, there twice, or has a value
            that cannot be signed.
    """
    lines, seen = [], set()
    for item in covered.items:
        identity = (item.value, frozenset(item.parameters))
        if identity in seen:
            raise ValueError("a component is covered twice")
        seen.add(identity)
        value = component_value(item, request)
        if not value.isascii() or "\n" in value or "\r" in value:
            raise ValueError("a component has a value that cannot be signed")
        lines.append(f"{write_member(item)}: {value}")
    lines.append(f'"@signature-params": {write_member(covered)}')
    return "\n".join(lines).encode("ascii")


def component_value(item: Item, request: SignedRequest) -> str:
    """
    Give the value of one component (sections 2.1 and 2.2).

    Raises:
        ValueError: It is not known, or the request does not have it.
    """
    name = item.value
    if not isinstance(name, str) or name != name.lower():
        raise ValueError("a component's name is no lower-case string")
    if name.startswith("@"):
        return _derived(name, item, request)
    if name not in request.fields:
        raise ValueError(f"the request has no {name}")
    values = request.fields[name]
    if is_binary(item):
        wrapped = (write_member(Item(value.encode("latin-1"))) for value in values)
        return ", ".join(wrapped)
    if item.parameters:
        raise ValueError(f"the parameters of {name} are not supported")
    return ", ".join(values)


def sign_request(
    covered: InnerList,
    request: SignedRequest,
    *,
    label: str,
    sign: Callable[[bytes], bytes],
) -> tuple[str, str]:
    """
    Sign *request*; give the values of ``Signature-Input`` and ``Signature``.

    Args:
        covered: The components, with the signature's parameters.
        request: The request.
        label: What the signature is called in both fields (section 4).
        sign: Gives the signature of octets.

    Raises:
        ValueError: As for `signature_base`.
    """
    signature = sign(signature_base(covered, request))
    return (
        write_dictionary({label: covered}),
        write_dictionary({label: Item(signature)}),
    )


def _derived(name: str, item: Item, request: SignedRequest) -> str:
    """Give the value of a derived component (section 2.2)."""
    if name == "@query-param":
        return _query_parameter(item, request.target.partition("?")[2])
    if item.parameters:
        raise ValueError(f"the parameters of {name} are not supported")
    read = _READ.get(name)
    if read is None:
        raise ValueError(f"the component {name} is not known")
    return read(request)


def _query_parameter(item: Item, query: str) -> str:
    """Give one parameter of a query, encoded anew (section 2.2.8)."""
    parameters = dict(item.parameters)
    name = parameters.get("name")
    if not isinstance(name, str) or len(parameters) != 1:
        raise ValueError("@query-param has not exactly one name")
    pairs = parse_qsl(query, keep_blank_values=True)
    found = [value for key, value in pairs if key == unquote_plus(name)]
    if len(found) != 1:  # which of several is meant, nobody can say
        raise ValueError("the query has not exactly one parameter of that name")
    return quote(found[0], safe="*-._").replace("~", "%7E")
