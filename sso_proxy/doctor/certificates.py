"""The certificates that listeners show: their time, their chain, their names."""

import re
import ssl
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from sso_proxy.config.model import Config
from sso_proxy.doctor.finding import Finding
from sso_proxy.net.tls.material import describe, read_certificates

SOON: Final = timedelta(days=14)
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
)
_blocks = re.compile(
    b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL
).findall
_RELOAD: Final = "put the new one in its place, and reload (SIGHUP)"


def look_at_certificates(
    config: Config, now: float, known: Collection[x509.Name] | None = None
) -> Iterator[Finding]:
    """
    Look at each certificate, and whether there is one for each host.

    Args:
        config: A configuration that could be built.
        now: Seconds since the epoch.
        known: The names of the CAs that this system trusts; None: find out.
    """
    roots = known_authorities() if known is None else known
    names: set[str] = set()
    files: dict[str, list[str]] = {}
    for file, place in _files(config):
        files.setdefault(file, []).append(place)
    for file, places in files.items():
        what = ", ".join(places)
        chain = read_certificates(Path(file).read_bytes())
        names.update(_names(chain[0]))
        yield _time(what, chain, datetime.fromtimestamp(now, UTC))
        yield _chain(what, chain, roots)
    if files:
        yield from _hosts(config, names)


def known_authorities() -> frozenset[x509.Name]:
    """Give the names of the CAs that this system trusts, as far as they are found."""
    paths = ssl.get_default_verify_paths()
    for name in (paths.cafile, paths.openssl_cafile, *_BUNDLES):
        if name is not None and Path(name).is_file():
            return frozenset(_subjects(Path(name).read_bytes()))
    return frozenset()


def _subjects(pem: bytes) -> Iterator[x509.Name]:
    """Give the names of all CAs that can be read: some systems have odd old ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in _blocks(pem):
            with suppress(ValueError):
                yield x509.load_pem_x509_certificate(block).subject


def _files(config: Config) -> Iterator[tuple[str, str]]:
    """Give each file, and where it is named."""
    for number, listener in enumerate(config.listener):
        if listener.certificate is not None:
            yield listener.certificate, f"listener[{number}].certificate"
        for index, each in enumerate(listener.name):
            if each.certificate is not None:
                yield each.certificate, f"listener[{number}].name[{index}].certificate"


def _time(what: str, chain: Sequence[x509.Certificate], now: datetime) -> Finding:
    """Say how long all of a chain is good."""
    late = max(each.not_valid_before_utc for each in chain)
    if late > now:
        todo = "is the clock right? Else wait, or use the one before"
        return Finding("broken", what, f"is good from {late:%Y-%m-%d %H:%M} on", todo)
    ends = min(each.not_valid_after_utc for each in chain)
    if ends <= now:
        found = f"has expired on {ends:%Y-%m-%d}"
        return Finding("broken", what, found, f"renew it, {_RELOAD}")
    found = f"is good until {ends:%Y-%m-%d}"
    if ends - now < SOON:
        return Finding("warning", what, found, f"renew it, {_RELOAD}")
    return Finding("ok", what, found)


def _chain(
    what: str, chain: Sequence[x509.Certificate], roots: Collection[x509.Name]
) -> Finding:
    """Say whether clients get all that they need to check it."""
    for below, above in pairwise(chain):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            found = f"{describe(above.subject)} has not issued what stands before it"
            todo = "first the server's certificate, then who issued it, and so on"
            return Finding("broken", f"{what}, chain", found, todo)
    last = chain[-1]
    who = describe(last.issuer)
    if last.issuer == last.subject:
        found = f"ends with {who}, which issued itself"
        if last.subject in roots:
            return Finding("ok", f"{what}, chain", found)
        return Finding(
            "warning", f"{what}, chain", found, "clients have to be told to trust it"
        )
    if last.issuer in roots:
        found = f"ends with a certificate of {who}, whom this system trusts"
        return Finding("ok", f"{what}, chain", found)
    found = f"ends with a certificate of {who}, whom this system does not know"
    todo = "append the intermediate certificates; or clients have to know that CA"
    return Finding("warning", f"{what}, chain", found, todo)


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    names = found.value.get_values_for_type(x509.DNSName)
    addresses = found.value.get_values_for_type(x509.IPAddress)
    return [*(name.lower() for name in names), *map(str, addresses)]


def _hosts(config: Config, names: Collection[str]) -> Iterator[Finding]:
    """Say for which hosts of routes there is no certificate."""
    hosts = dict.fromkeys(route.host.lower() for route in config.route)
    for host in hosts:
        wide = f"*.{host.partition('.')[2]}"
        if host == "*" or host.strip("[]") in names or wide in names:
            continue
        found = "no certificate has this name"
        todo = "browsers refuse it, unless something before us ends their TLS"
        yield Finding("warning", f"host {host}", found, todo)
