"""The examples about logins run with nothing but names and ports replaced."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.conformance.parts import Asked, Client, Reply, json_reply
from tests.conformance.provider import Provider
from tests.conformance.serving import Host
from tests.support.browser import Browser
from tests.support.programs import RealProxy
from tests.support.recorder import Recorder

ETC = Path(__file__).parent.parent / "etc"
HOST = "app.example.com"
ACME = "11111111-1111-1111-1111-111111111111"


@attrs.define
class Scene:
    """
    Providers, a backend and a directory for the proxy.

    Attributes:
        directory: The proxy's files.
        ca: Whom everybody trusts.
        host: Serves the providers.
        backend: Is behind the proxy.
    """

    directory: Path
    ca: Path
    host: Host
    backend: Recorder

    def provider(self, name: str, client_id: str) -> Provider:
        """Run a provider."""
        client = attrs.evolve(Client(), client_id=client_id)
        provider = Provider(f"{self.host.origin}/{name}", client)
        self.host.answers[name] = provider.answer
        return provider

    def proxy(self, example: str, changes: dict[str, str]) -> RealProxy:
        """Give the proxy of an example, in which *changes* are made."""
        text = (ETC / example).read_text()
        known = {'"0.0.0.0"': '"127.0.0.1"', "8443": "0"}
        for old, new in {**known, **changes}.items():
            assert old in text, old
            text = text.replace(old, new)
        for port in ("9000", "9001"):
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.backend.port}")
        server: dict[str, Any] = {
            "outbound": {"ca": str(self.ca)},
            "state_dir": str(self.directory / "state"),
        }
        return RealProxy(self.directory, text, **server)

    def browser(self) -> Browser:
        """Give a new browser."""
        return Browser(self.ca)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Give a scene."""
    pki = Pki.create()
    ca = pki.write(tmp_path)
    (tmp_path / "tls").mkdir()
    pki.issue(HOST, dns=[HOST], server=True).write(tmp_path / "tls", "app")
    for name in ("CLIENT_SECRET", "STAFF_SECRET", "CUSTOMERS_SECRET"):
        monkeypatch.setenv(name, Client().secret)
    issued = pki.issue("localhost", dns=["localhost"], server=True)
    with Host(issued, ca, tmp_path) as host, Recorder() as backend:
        yield Scene(tmp_path, ca, host, backend)


def test_a_web_application(scene: Scene) -> None:
    """etc/openid-connect.toml"""
    provider = scene.provider("corp", "app")
    changes = {"https://login.example.com": provider.issuer}
    with scene.proxy("openid-connect.toml", changes).serve() as proxy:
        site, browser = f"https://{HOST}:{proxy.port}", scene.browser()
        assert browser.fetch(f"{site}/page").status == 401
        page = browser.go(f"{site}/page?a=b")
        assert (page.status, page.url) == (200, f"{site}/page?a=b")
        seen = scene.backend.seen[-1]
        assert seen.values("X-Remote-User") == ["alice"]
        assert seen.values("X-Claim-email") == ["alice@example.com"]
        assert browser.fetch(f"{site}/page").status == 200
        assert len(provider.grants) == 1
        assert browser.fetch(f"{site}/admin/").status in (401, 403)
        assert browser.go(f"{site}/admin/").status == 200
        assert provider.grants[1].asked["acr_values"] == "gold"
        assert provider.complaints == []


def test_many_providers(scene: Scene) -> None:
    """etc/many-providers.toml"""
    corp, found = scene.provider("corp", "app"), scene.provider("found", "known-later")
    issuer = found.issuer
    found.changes.add(
        "metadata", lambda said, _: {**said, "registration_endpoint": issuer + "/new"}
    )
    sent: list[dict[str, Any]] = []

    def register(asked: Asked) -> Reply:
        if asked.path != "/new":
            return found.answer(asked)
        sent.append(json.loads(asked.body))
        given = {"client_id": "known-later", "client_secret": Client().secret}
        return json_reply({**given, "client_secret_expires_at": 0}, 201)

    scene.host.answers["found"] = register
    shutil.copytree(ETC / "many-providers", scene.directory / "many-providers")
    file = scene.directory / "many-providers" / "corp.toml"
    text = file.read_text()
    assert "https://login.example.com" in text
    file.write_text(text.replace("https://login.example.com", corp.issuer))
    pattern = issuer.replace(".", r"\.")
    changes = {
        r"https://[a-z0-9-]+\.login\.example\.org": pattern,
        'providers = "many-providers"': 'providers = "many-providers"\n'
        'networks = ["127.0.0.0/8", "::1/128"]',
    }
    with scene.proxy("many-providers.toml", changes).serve() as proxy:
        site, browser = f"https://{HOST}:{proxy.port}", scene.browser()
        page = browser.go(f"{site}/page")
        assert "Staff" in page.text
        (link,) = [each for each in page.links if "iss=" in each]
        assert browser.go(link).url == f"{site}/page"
        browser = scene.browser()
        page = browser.submit(browser.go(f"{site}/page"), who=issuer)
        assert page.status == 200
        assert [each["contacts"] for each in sent] == [["admin@example.com"]]
        assert (corp.complaints, len(corp.grants)) == ([], 1)
        assert (found.complaints, len(found.grants)) == ([], 1)


def test_two_providers(scene: Scene) -> None:
    """etc/two-providers.toml"""
    staff = scene.provider("staff", "app")
    customers = scene.provider("customers", "example-app")
    changes = {
        "https://login.example.com": staff.issuer,
        "https://accounts.example.net": customers.issuer,
    }
    with scene.proxy("two-providers.toml", changes).serve() as proxy:
        site, browser = f"https://{HOST}:{proxy.port}", scene.browser()
        page = browser.go(f"{site}/intranet/")
        assert page.status == 200
        assert len(staff.grants) == 1
        assert browser.go(f"{site}/shop/").status == 200  # staff may, too

        other = scene.browser()
        page = other.go(f"{site}/shop/")
        assert "Customers" in page.text
        assert "Staff" in page.text
        assert not scene.backend.seen[2:]


def test_tenants_of_entra(scene: Scene) -> None:
    """etc/entra.toml"""
    provider = scene.provider("common", "00000000-0000-0000-0000-000000000000")
    template = f"{scene.host.origin}/{{tenantid}}/v2.0"
    provider.changes.add("metadata", lambda it, _: {**it, "issuer": template})
    provider.changes.add("answer", lambda it, _: it[:2])
    provider.changes.add(
        "metadata",
        lambda it, _: {**it, "authorization_response_iss_parameter_supported": False},
    )
    tenant = [ACME]
    provider.changes.add(
        "id_token_claims",
        lambda it, _: {
            **it,
            "iss": template.replace("{tenantid}", tenant[0]),
            "tid": tenant[0],
            "preferred_username": "alice@acme.example",
        },
    )
    changes = {
        "https://login.microsoftonline.com/{tenantid}/v2.0": template,
        "https://login.microsoftonline.com/organizations/v2.0": provider.issuer,
    }
    with scene.proxy("entra.toml", changes).serve() as proxy:
        site, browser = f"https://{HOST}:{proxy.port}", scene.browser()
        assert browser.go(f"{site}/").status == 200, proxy.log()
        assert scene.backend.seen[-1].values("X-Remote-User") == ["alice@acme.example"]
        tenant[0] = "33333333-3333-3333-3333-333333333333"
        assert scene.browser().go(f"{site}/").status == 403
        assert len(scene.backend.seen) == 1


def test_an_api_or_a_browser(scene: Scene) -> None:
    """etc/api-or-browser.toml"""
    provider = scene.provider("corp", "app")
    changes = {"https://login.example.com": provider.issuer}
    with scene.proxy("api-or-browser.toml", changes).serve() as proxy:
        site, browser = f"https://{HOST}:{proxy.port}", scene.browser()
        nobody = browser.fetch(f"{site}/")
        assert nobody.status == 401
        assert nobody.value("www-authenticate").startswith("Bearer")

        bad = browser.fetch(f"{site}/", Authorization="Bearer x.y.z")
        assert bad.status == 401
        assert browser.go(f"{site}/").status == 200
        bad = browser.fetch(f"{site}/", Authorization="Bearer x.y.z")
        assert bad.status == 401  # whoever is logged in

        signer = provider.keys["RS256"]
        claims = provider.id_token_claims(provider.grants[0])
        token = signer.sign({**claims, "aud": "https://app.example.com"})
        good = scene.browser().fetch(f"{site}/", Authorization=f"Bearer {token}")
        assert good.status == 200


def test_an_application_that_has_lived_behind_apache(scene: Scene) -> None:
    """etc/from-mod-auth-openidc.toml"""
    provider = scene.provider("corp", "app")
    provider.client = attrs.evolve(provider.client, callback="/oauth2callback")
    changes = {"https://login.example.com": provider.issuer}
    with scene.proxy("from-mod-auth-openidc.toml", changes).serve() as proxy:
        site, browser = f"https://{HOST}:{proxy.port}", scene.browser()
        page = browser.go(f"{site}/page?a=b")
        assert (page.status, page.url) == (200, f"{site}/page?a=b")
        redirect = f"{site}/oauth2callback"
        assert provider.grants[0].asked["redirect_uri"] == redirect
        seen = scene.backend.seen[-1]
        who = f"alice@{provider.issuer.removeprefix('https://')}"
        assert seen.values("X-Remote-User") == [who]
        assert seen.values("OIDC_CLAIM_email") == ["alice@example.com"]
        assert json.loads(seen.values("OIDC_id_token_payload")[0])["sub"] == "alice"
        assert not seen.values("OIDC_access_token")
        told = json.loads(browser.fetch(f"{redirect}?info=json").text)
        assert told["remote_user"] == who
        assert isinstance(told["access_token_expires"], int)
        assert browser.fetch(f"{redirect}?revoke_session=x").status == 404
        assert browser.go(f"{redirect}?logout=%2Fgoodbye").url == f"{site}/goodbye"
        assert browser.fetch(f"{redirect}?info=json").status == 401
        assert provider.complaints == []
