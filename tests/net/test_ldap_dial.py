"""Directories are who they say, or nobody."""

import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from sso_proxy.net.ldap import LdapLink
from sso_proxy.net.ldap_dial import dial
from sso_proxy.net.ldap_options import LdapOptions, read_ldap_access, read_place
from sso_proxy.net.ldap_values import SUCCESS
from sso_proxy.testing.pki import Pki
from tests.support.ldap_case import LdapCase
from tests.support.slapd import READER, READER_PASSWORD, Relay


class DialTests(LdapCase):
    async def dial(self, url: str, **options: Any) -> LdapLink:  # noqa: ANN401
        known: dict[str, Any] = {"ca": str(self.slapd.directory / "ca.crt")}
        access = read_ldap_access(LdapOptions(servers=(url,), **known | options), 0.0)
        link = await dial(read_place(url), access, self.reactor)
        self.opened.append(link)
        return link

    def write(self, content: bytes) -> str:
        path = Path(self.enterContext(tempfile.TemporaryDirectory()), "file")
        path.write_bytes(content)
        return str(path)

    async def test_tls_from_the_beginning_and_later(self) -> None:
        for url in (self.slapd.url, self.slapd.tls_url):
            link = await self.dial(url)
            assert await link.bind(READER, READER_PASSWORD) == SUCCESS

    async def test_without_tls_only_where_it_is_allowed(self) -> None:
        relay = self.enterContext(Relay(self.slapd.port))
        url = f"ldap://localhost:{relay.port}"
        link = await self.dial(url, allow_plaintext=True)
        assert await link.bind(READER, READER_PASSWORD) == SUCCESS
        assert READER_PASSWORD.encode() in relay.seen
        relay.seen.clear()
        link = await self.dial(url)
        assert await link.bind(READER, READER_PASSWORD) == SUCCESS
        assert READER_PASSWORD.encode() not in relay.seen

    async def test_a_certificate_for_another_name_is_refused(self) -> None:
        for url in (self.slapd.url, self.slapd.tls_url):
            there = url.replace("localhost", "127.0.0.1")
            assert "VerificationError" in await self.failure_of(self.dial(there))
        await self.until_left()

    async def test_a_certificate_of_another_ca_is_refused(self) -> None:
        other = self.write(Pki.create("Other").ca_pem)
        for url in (self.slapd.url, self.slapd.tls_url):
            why = await self.failure_of(self.dial(url, ca=other))
            assert "certificate verify failed" in why
        await self.until_left()

    async def test_a_client_certificate_says_who_we_are(self) -> None:
        files = {
            "certificate": str(self.slapd.directory / "client.crt"),
            "key": str(self.slapd.directory / "client.key"),
        }
        for url in (self.slapd.url, self.slapd.tls_url):
            link = await self.dial(url, **files)
            assert await link.bind_by_certificate() == SUCCESS
        link = await self.dial(self.slapd.url)
        assert await link.bind_by_certificate() != SUCCESS

    async def test_nobody_there_and_nobody_who_answers(self) -> None:
        there = {"ldap": self.slapd.port, "ldaps": self.slapd.tls_port}
        for scheme, port in there.items():
            relay = self.enterContext(Relay(port))
            relay.answers = False
            url = f"{scheme}://localhost:{relay.port}"
            why = await self.failure_of(self.dial(url, connect_timeout=0.2))
            assert why.endswith("no connection within 0.2 s")
        relay.close()
        assert "refused" in await self.failure_of(self.dial(url))

    async def test_whoever_gives_up_leaves(self) -> None:
        relay = self.enterContext(Relay(self.slapd.port))
        relay.answers = False
        url = f"ldap://localhost:{relay.port}"
        for seen in (False, True):  # before it is connected, and after
            attempt = Deferred.fromCoroutine(self.dial(url))
            failed = self.assertFailure(attempt, CancelledError)
            while seen and not relay.seen:
                await self.pause(0.005)
            attempt.cancel()
            await failed
        await self.until_left()
