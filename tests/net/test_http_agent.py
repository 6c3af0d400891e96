"""Connections go where they should, and are verified."""

from pathlib import Path
from typing import cast

import pytest
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.web.client import URI

from sso_proxy.errors import ConfigError
from sso_proxy.net.http_agent import (
    TlsPolicy,
    UrlError,
    build_agents,
    read_ca,
    read_proxy,
)
from sso_proxy.net.tls.client import ClientTls, MaterialError
from sso_proxy.testing.pki import Pki


def test_what_a_name_needs_is_read_once() -> None:
    policy = TlsPolicy(None, None)
    first = policy.creatorForNetloc(b"as.example.com", 443)
    assert policy.creatorForNetloc(b"as.example.com", 8443) is first
    assert policy.creatorForNetloc(b"other.example.com", 443) is not first


def test_half_a_client_certificate_is_none() -> None:
    issued = Pki.create().issue("us", client=True)
    with pytest.raises(MaterialError, match="together"):
        TlsPolicy(None, ClientTls(key=issued.key_pem)).creatorForNetloc(b"a", 443)


def test_agents_go_to_plain_hosts_only() -> None:
    agents = build_agents(
        MemoryReactorClock(),
        TlsPolicy(None, None),
        proxy=None,
        connect_within=1.0,
        max_bytes=1,
    )
    assert agents.pool.persistent
    for url in (b"ftp://a/", b"https://u:p@a/"):
        with pytest.raises(UrlError):
            agents.keeping._endpointFactory.endpointForURI(  # noqa: SLF001
                URI.fromBytes(url)
            )


def test_a_file_of_authorities_is_read(tmp_path: Path) -> None:
    pki = Pki.create()
    assert read_ca(None) is None
    assert read_ca(str(pki.write(tmp_path))) == pki.ca_pem
    with pytest.raises(ConfigError, match="cannot be read"):
        read_ca(str(tmp_path / "missing"))


def test_a_proxy_is_a_host_and_a_port() -> None:
    assert read_proxy(None) is None
    assert read_proxy("http://[::1]:3128/") == ("::1", 3128)
    with pytest.raises(ConfigError, match="http://host:port"):
        read_proxy("http://proxy")


def test_connections_are_nothing_for_the_log() -> None:
    """Twisted's own factories have two lines for each."""
    reactor = MemoryReactorClock()
    logged: list[LogEvent] = []
    agents = build_agents(
        reactor,
        TlsPolicy(None, None),
        proxy=("127.0.0.1", 3128),
        connect_within=1.0,
        max_bytes=1,
    )
    observer = cast("ILogObserver", logged.append)
    globalLogPublisher.addObserver(observer)
    try:
        for url in (b"http://127.0.0.1/", b"https://127.0.0.1/"):
            agents.keeping.request(b"GET", url).addErrback(lambda _: None)
        factories: list[Factory] = [client[2] for client in reactor.tcpClients]
        for factory in factories:
            factory.doStart()  # as a reactor does
    finally:
        globalLogPublisher.removeObserver(observer)
    assert len(factories) == 2
    assert logged == []
