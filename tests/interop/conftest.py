"""Certificates and a backend that the tests of this directory share."""

import ssl
import tempfile
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import attrs
import pytest

from sso_proxy.testing.pki import Issued, Pki
from tests.support.comparing import Asking
from tests.support.comparing import both as run_both
from tests.support.gateway import Gateway
from tests.support.gateway import gateway as run_gateway
from tests.support.oidc_provider import OidcProvider
from tests.support.programs import Backend, CurlAnswer, curl, echo_head
from tests.support.tokens_from_op import TokenDesk, clients


@attrs.frozen(kw_only=True)
class Files:
    """
    A directory with ``server.crt``, ``server.key`` and their CA.

    Attributes:
        directory: Where they are.
        authority: The CA, also of clients.
        alice: A client's certificate: ``alice.crt``, ``alice.key``.
    """

    directory: Path
    authority: Pki
    alice: Issued

    @property
    def ca(self) -> Path:
        """The CA's certificate."""
        return self.directory / "ca.crt"

    def place(self) -> Path:
        """Make a directory of its own with the same files, for one proxy."""
        path = Path(tempfile.mkdtemp(dir=self.directory))
        for file in self.directory.iterdir():
            if file.is_file():
                (path / file.name).symlink_to(file)
        return path

    def issue(self, stem: str, issued: Issued) -> Issued:
        """Write *issued* beside the others."""
        issued.write(self.directory, stem)
        return issued

    def client_context(self) -> ssl.SSLContext:
        """Make a context that trusts the CA and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca))

    def ask(self, url: str, *options: str | Path) -> CurlAnswer:
        """Run curl as a client that trusts the CA."""
        return curl("--cacert", self.ca, *options, url)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Files:
    """Give a directory with certificates."""
    tmp_path = tmp_path_factory.mktemp("interop")
    pki.write(tmp_path)
    pki.issue("localhost", dns=["localhost"], server=True).write(tmp_path, "server")
    alice = pki.issue("alice", client=True)
    alice.write(tmp_path, "alice")
    return Files(directory=tmp_path, authority=pki, alice=alice)


@pytest.fixture(scope="session")
def pki() -> Pki:
    """Give an authority."""
    return Pki.create("Interop CA")


@pytest.fixture(scope="module")
def echo() -> Iterator[Backend]:
    """Give a backend that answers with what it was sent."""
    with Backend(echo_head) as backend:
        yield backend


def serve_tokens(pki: Pki) -> Iterator[TokenDesk]:
    """Give tokens of an authorization server that runs."""
    known = clients(pki)
    registrations = [client.registration() for client in known.values()]
    with OidcProvider(pki, registrations) as server:
        yield TokenDesk(server=server, clients=known)


@pytest.fixture(scope="session")
def desk(pki: Pki) -> Iterator[TokenDesk]:
    """Give tokens of a server that all tests share."""
    yield from serve_tokens(pki)


@pytest.fixture
def own(pki: Pki) -> Iterator[TokenDesk]:
    """Give tokens of a server that the test may do with as it likes."""
    yield from serve_tokens(pki)


@pytest.fixture(scope="module")
def gateway(files: Files, desk: TokenDesk) -> Iterator[Gateway]:
    """Give a proxy that believes the authorization server."""
    with run_gateway(files.place(), desk) as running:
        yield running


@pytest.fixture(scope="module")
def both(
    files: Files, desk: TokenDesk, gateway: Gateway
) -> Iterator[Mapping[str, Asking]]:
    """Give those who ask the proxy, and Apache with mod_oauth2."""
    with run_both(files.place(), desk, gateway) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the log of the authorization server with what failed."""
    report = yield
    given = getattr(item, "funcargs", {})
    for desk in (given.get("desk"), given.get("own")):
        if report.failed and isinstance(desk, TokenDesk):
            tail = desk.server.log()[-4000:]
            report.sections.append(("the authorization server", tail))
    return report
