"""The options of the ``openid2`` authenticator."""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
from attrs.validators import optional

from sso_proxy.config.checks import Attribute, between, non_empty
from sso_proxy.config.model import FilePath
from sso_proxy.config.secrets import Secret
from sso_proxy.net.openid2_fetch import FetchRules
from sso_proxy.specs.http.return_target import TargetError, read_target
from sso_proxy.specs.openid2.association import OFFERS, Offer, read_offer
from sso_proxy.specs.openid2.identifier import IdentifierError, read_identifier
from sso_proxy.specs.openid2.realm import RealmError, read_realm

_EXAMPLE: Final = "app.example.com"


def _identifier(_: object, __: Attribute, value: str) -> None:
    try:
        read_identifier(value)
    except IdentifierError as e:
        raise ValueError(f"{value!r} is no identifier: {e.detail}") from None


def _choices(_: object, attribute: Attribute, value: Mapping[str, str]) -> None:
    for title, identifier in value.items():
        if not title.strip():
            raise ValueError("a choice has no title")
        _identifier(_, attribute, identifier)


def _realm(_: object, __: Attribute, value: str) -> None:
    path = value.startswith("/")
    try:
        read_realm(f"https://{_EXAMPLE}{value}" if path else value)
    except RealmError as e:
        raise ValueError(str(e)) from None


def _page(_: object, __: Attribute, value: str) -> None:
    try:
        target = read_target(value, host=_EXAMPLE, port=443, scheme="https")
    except TargetError as e:
        raise ValueError(e.detail) from None
    if target != value:
        raise ValueError(f"has to be a path, written {target}")


def _offers(_: object, __: Attribute, value: tuple[str, ...]) -> None:
    for text in value:
        read_offer(text)
    if len(set(value)) != len(value):
        raise ValueError("has one twice")


def _providers(_: object, __: Attribute, value: tuple[str, ...]) -> None:
    FetchRules(providers=value)


def _networks(_: object, __: Attribute, value: tuple[str, ...]) -> None:
    FetchRules(networks=value)


@attrs.frozen(kw_only=True)
class OpenId2Config:
    """
    The ``openid2`` authenticator's part of the configuration file.

    Attributes:
        mappers: Names of mappers, asked in this order whose user name an identifier
            is.  Nobody logs in without one.  Routes say in ``map_user`` what their
            backends call them: the same mappers, as a rule.
        provider: The identifier of the provider at which everybody logs in; unset,
            people type an identifier, or choose.
        choices: Identifiers of providers, by what people know them by.
        typed: Whether people may type an identifier, beside *choices*.
        providers: The only providers that count: the URL at which each logs people in
            (its endpoint), or the beginning of several, with ``*`` behind a slash.
            Empty: whoever an identifier names.
        https_only: Whether identifiers, the documents about them and providers have to
            be https.  Who is between us and an http one can be anybody there.
        networks: Networks that are not public, in which identifiers and providers may
            be: ``10.1.0.0/16``.
        within: Seconds for all that is fetched about one identifier.
        ca: PEM file: CAs to trust for identifiers and providers, instead of the
            system's and those of ``server.outbound``.
        crl: PEM file: current revocation lists of all CAs in ``ca``.
        associations: The kinds of secrets to share with providers, in this order, such
            as ``HMAC-SHA256/DH-SHA256``; empty, each answer is asked about (stateless).
        immediate: Whether providers must not show anything: who is not logged in there
            already does not get in.
        realm: The URLs that we are, as providers show it to people: a path on the host
            of the request, or a URL whose host may begin with ``*.``.  It has to cover
            our ``callback``.
        title: What people know it by, where they have a choice; unset, the name of
            this table.
        start_page: Where people go who have logged in without wanting a page.
        in_answer: Whether the page that asks for an identifier is the body of a 401 at
            the address that somebody wanted, beside the challenges of the route's other
            authenticators, or of a 403 where these have none; unset, browsers see it
            with a 200.
        shows_identifier: Whether people who are not known yet can see which identifier
            is theirs, at ``openid/`` and the name of this table below our endpoints.
        backend_password: A password that the backend gets with the user's name
            (``Authorization: Basic``), the same for all; unset, it gets none.
        lookups_per_minute: How many identifiers that somebody typed are looked up, in
            all.
        lookups_per_address: How many are looked up, and answers are checked, for each
            client's address in a minute.
        cache: The cache that has secrets, and the marks of answers that were used;
            unset, the default one.
    """

    mappers: tuple[str, ...] = attrs.field(validator=non_empty)
    provider: str | None = attrs.field(default=None, validator=optional(_identifier))
    choices: Mapping[str, str] = attrs.field(factory=dict, validator=_choices)
    typed: bool = True
    providers: tuple[str, ...] = attrs.field(default=(), validator=_providers)
    https_only: bool = True
    networks: tuple[str, ...] = attrs.field(default=(), validator=_networks)
    within: float = attrs.field(default=10.0, validator=between(0.1, 60))
    ca: FilePath | None = None
    crl: FilePath | None = None
    associations: tuple[str, ...] = attrs.field(
        default=tuple(str(offer) for offer in OFFERS), validator=_offers
    )
    immediate: bool = False
    realm: str = attrs.field(default="/", validator=_realm)
    title: str = ""
    start_page: str = attrs.field(default="/", validator=_page)
    in_answer: bool = False
    shows_identifier: bool = False
    backend_password: Secret | None = None
    lookups_per_minute: int = attrs.field(default=300, validator=between(1, 100000))
    lookups_per_address: int = attrs.field(default=30, validator=between(1, 100000))
    cache: str | None = None

    @property
    def rules(self) -> FetchRules:
        """Give where we go."""
        return FetchRules(
            https_only=self.https_only,
            providers=self.providers,
            networks=self.networks,
            within=self.within,
        )

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Give the kinds of associations."""
        return tuple(read_offer(text) for text in self.associations)

    @property
    def notes(self) -> Iterator[str]:
        """Say what is less safe than it could be."""
        if not self.https_only:
            yield "https_only = false: who is on the way can be whoever has an http URL"

    def realm_at(self, origin: str) -> str:
        """Give the realm of a host, whose *origin* that is."""
        return origin + self.realm if self.realm.startswith("/") else self.realm

    def problems(self) -> Iterator[str]:
        """Say what contradicts itself or has no effect."""
        if self.crl is not None and self.ca is None:
            yield "crl needs ca: whose lists they are"
        if self.provider is not None and self.choices:
            yield "provider and choices: there is nothing to choose"
        if self.provider is None and not self.choices and not self.typed:
            yield "typed = false needs provider or choices: nobody could log in"
        if self.in_answer and self.provider is not None:
            yield "in_answer has no effect with provider: nothing is asked"
        named = (self.provider, *self.choices.values())
        if self.https_only and any((each or "").startswith("http:") for each in named):
            yield "https_only: provider and choices have to be https"
