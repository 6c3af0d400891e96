"""Reads a listener's options for TLS: what holds for which name."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final, Literal

import attrs
from cryptography import x509

from sso_proxy.config.model import ClientCertificate, ListenerConfig, NameConfig
from sso_proxy.net.tls.material import Credentials, MaterialReader, describe
from sso_proxy.net.tls.rules import ClientRules, strictest

_DAY: Final = 86400

WARNING_DAYS: Final = 21
"""A certificate that ends in fewer days is worth a line in health and log."""

Option = Literal["certificate", "key", "client_ca", "client_crl"]


@attrs.frozen(kw_only=True)
class Expiry:
    """
    The end of something that a listener depends on.

    Attributes:
        what: The option that it comes from, and whose it is.
        not_after: Seconds since the epoch.
        warning: Seconds before the end when health begins to say so.
    """

    what: str
    not_after: float
    warning: float = WARNING_DAYS * _DAY


@attrs.frozen(kw_only=True)
class Plan:
    """
    What a listener does for some names, read but not yet made into a context.

    Attributes:
        path: Where it stands in the configuration.
        hosts: The names; none for the listener itself.
        credentials: Our certificate; None if there is a mistake about it.
        rules: What is asked of clients.
        ends: When what it uses ends.
    """

    path: str
    hosts: tuple[str, ...] = ()
    credentials: Credentials | None
    rules: ClientRules
    ends: tuple[Expiry, ...] = ()


def read_plans(config: ListenerConfig, path: str, reader: MaterialReader) -> list[Plan]:
    """
    Read the plans of the listener at *path*: first its own, then each name's.

    The listener's own is for clients that name no host, or another one, and gets the
    strictest rules of all.  *reader* keeps the mistakes.
    """
    own = _read_plan(_Options(listener=config, path=path), reader)
    names = [
        _read_plan(
            _Options(
                listener=config, path=path, name=name, name_path=f"{path}.name[{index}]"
            ),
            reader,
        )
        for index, name in enumerate(config.name)
    ]
    _check_hosts(names, reader)
    if config.client_ca and all(plan.rules.mode == "none" for plan in (own, *names)):
        reader.note(f"{path}.client_ca", _UNUSED)
    rules = strictest(own.rules, [plan.rules for plan in names])
    return [attrs.evolve(own, rules=rules), *names]


_UNUSED: Final = (
    "is set, but nobody is asked for a certificate; set client_certificate, or"
    " remove it"
)


@attrs.frozen(kw_only=True)
class _Options:
    """The options of a name, each from the name or else from the listener."""

    listener: ListenerConfig
    path: str
    name: NameConfig | None = None
    name_path: str | None = None

    @property
    def where(self) -> str:
        """The path of the table that they are for."""
        return self.name_path or self.path

    @property
    def mode(self) -> ClientCertificate:
        """What clients are asked for."""
        if self.name is None or self.name.client_certificate is None:
            return self.listener.client_certificate
        return self.name.client_certificate

    def file(self, option: Option) -> tuple[str, str | None]:
        """Give the path of the option that counts, and the file it names."""
        value: str | None = getattr(self.name, option, None)
        if value is not None:
            return f"{self.name_path}.{option}", value
        return f"{self.path}.{option}", getattr(self.listener, option)


def _read_plan(options: _Options, reader: MaterialReader) -> Plan:
    name = options.name
    credentials = _read_credentials(options, reader)
    rules = _read_rules(options, reader)
    if name is not None and name.client_ca and rules.mode == "none":
        reader.note(f"{options.where}.client_ca", _UNUSED)
    return Plan(
        path=options.where,
        hosts=() if name is None else name.host,
        credentials=credentials,
        rules=rules,
        ends=tuple(_ends(options, credentials, rules)),
    )


def _read_credentials(options: _Options, reader: MaterialReader) -> Credentials | None:
    name = options.name
    if name is not None and (name.certificate is None) != (name.key is None):
        absent = "key" if name.key is None else "certificate"
        reader.note(
            f"{options.where}.{absent}",
            "is missing; a certificate and its key are set together",
        )
        return None
    certificate_path, certificate = options.file("certificate")
    key_path, key = options.file("key")
    if certificate is None:
        reader.note(certificate_path, "is missing; a TLS listener needs a certificate")
    if key is None:
        reader.note(key_path, "is missing; a TLS listener needs its private key")
    if certificate is None or key is None:
        return None
    return reader.credentials((certificate_path, certificate), (key_path, key))


def _read_rules(options: _Options, reader: MaterialReader) -> ClientRules:
    mode = options.mode
    if mode == "none":
        return ClientRules(mode=mode)
    ca_path, ca = options.file("client_ca")
    crl_path, crl = options.file("client_crl")
    if ca is None:
        if mode != "optional_no_ca":
            reader.note(
                f"{options.where}.client_ca",
                f"is missing; client_certificate = {mode!r} needs the CAs of clients",
            )
        if crl is not None:
            reader.note(crl_path, "is of no use without client_ca")
        return ClientRules(mode=mode)
    authorities = reader.authorities(ca_path, ca)
    if crl is None:
        return ClientRules(mode=mode, authorities=authorities)
    lists = reader.lists(crl_path, crl)
    if lists:
        reader.check_complete(f"{options.where}.client_crl", authorities, lists)
    return ClientRules(mode=mode, authorities=authorities, lists=lists)


def _ends(
    options: _Options, credentials: Credentials | None, rules: ClientRules
) -> Iterator[Expiry]:
    """Give what ends when; the same for two names that use the same file."""
    chain = () if credentials is None else credentials.chain
    used: tuple[tuple[Option, tuple[x509.Certificate, ...]], ...] = (
        ("certificate", chain),
        ("client_ca", rules.authorities),
    )
    for option, certificates in used:
        path, _ = options.file(option)
        for certificate in certificates:
            yield Expiry(
                what=f"{path}: {describe(certificate.subject)}",
                not_after=certificate.not_valid_after_utc.timestamp(),
            )
    path, _ = options.file("client_crl")
    for crl in rules.lists:
        if crl.next_update_utc is not None:
            yield Expiry(
                what=f"{path}: {describe(crl.issuer)}",
                not_after=crl.next_update_utc.timestamp(),
                warning=0,
            )


def _check_hosts(plans: list[Plan], reader: MaterialReader) -> None:
    """Note names that stand twice, and such as no client can ask for."""
    seen: set[str] = set()
    for plan in plans:
        for host in plan.hosts:
            path = f"{plan.path}.host"
            if host in seen:
                reader.note(path, f"{host!r} stands here twice on one listener")
            seen.add(host)
            if host == "*":
                reader.note(path, "'*' is what the listener's own options are for")
            elif _is_address(host.strip("[]")):
                reader.note(
                    path, f"{host!r} is an address; clients send none (RFC 6066)"
                )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
