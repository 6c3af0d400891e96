"""Where browsers learn who shares keys, for the routes of one configuration."""

from collections.abc import Iterable, Mapping
from typing import Any

from sso_proxy.endpoints.device_documents import DeviceDocument
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ISessionStore
from sso_proxy.routing import Route, build_document_route
from sso_proxy.specs.dbsc.federation import WELL_KNOWN


def build_federation_routes(
    begun: Iterable[tuple[str, str, ISessionStore]],
    stores: Mapping[str, ISessionStore],
) -> list[Route]:
    """
    Give the entries for the documents, for the table of routes.

    Args:
        begun: Where sessions begin: the pattern of hosts, the endpoints, and what
            keeps the sessions.
        stores: All that keeps sessions, by name.

    Raises:
        ConfigError: Sessions that begin on one host share keys with different sites; a
            browser asks the host, and does not say for which sessions.
    """
    names = {id(store): name for name, store in stores.items()}
    documents: dict[str, bytes] = {}
    for host, _, store in begun:
        document = _document_of(store)
        if document is None:
            continue
        if documents.setdefault(host, document) != document:
            path = f"session.{names.get(id(store), '')}.device.federation"
            problem = (
                f"other sessions that begin on {host} share keys with other sites; all"
                " of one host have to share with the same"
            )
            raise ConfigError(Mistake(path, problem))
    return [
        build_document_route(host, WELL_KNOWN, DeviceDocument(document))
        for host, document in documents.items()
    ]


def _document_of(store: Any) -> bytes | None:  # noqa: ANN401 - a plugin's may lack it
    """Give what is to be said about keys of sessions; None if they are not shared."""
    devices = getattr(store, "devices", None)
    federation = None if devices is None else devices.config.federation
    document: bytes | None = None if federation is None else federation.document
    return document
