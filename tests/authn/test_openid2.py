"""People log in with an OpenID."""

import attrs
import pytest
from zope.interface.verify import verifyObject

from sso_proxy.authn.openid2 import OpenId2Authenticator
from sso_proxy.config.secrets import Secret
from sso_proxy.interfaces import IAuthenticator, ILogin, ILoginWishes, IOpenIdLogin
from sso_proxy.login import Wishes
from sso_proxy.model import Authenticated, NotPresented
from sso_proxy.sessions.keys import SessionBindingConfig
from sso_proxy.testing.pki import Issued, Pki
from tests.support.openid2_login import OpenIdSite, SiteCase
from tests.support.password_scene import basic


class OpenId2Tests(SiteCase):
    """One site, one provider."""

    async def test_a_session_that_begins_is_offered_to_be_bound_to_the_device(
        self,
    ) -> None:
        op = self.run_op()
        binding = SessionBindingConfig(device="prefer")
        site = self.site(op, scene={"sessions": {"binding": binding}})
        back = await site.enter(op, op.identity("alice"))
        assert back.status == 303
        offers = dict(back.headers)["secure-session-registration"]
        assert offers.startswith("(ES256 RS256);path=")
        assert "authorization=" in offers

    async def test_who_proves_an_identifier_goes_on_where_they_wanted(self) -> None:
        op = self.run_op()
        site = self.site(op)
        done = await site.enter(op, op.identity("alice"))
        assert (done.status, done.location) == (303, "/page?x=1")
        assert (await site.get("/page?x=1")).status == 200
        assert op.modes() == ["associate", "checkid_setup"]

    async def test_without_associations_each_answer_is_asked_about(self) -> None:
        op = self.run_op()
        site = self.site(op, associations=())
        assert (await site.enter(op, op.identity("alice"))).status == 303
        assert op.modes() == ["checkid_setup", "check_authentication"]

    async def test_a_provider_may_say_whose_identifier_it_is(self) -> None:
        op = self.run_op()
        site = self.site(op)
        assert (await site.enter(op, op.op_identifier)).status == 303
        assert (await site.get("/")).status == 200
        assert op.fetched[-1].endswith("/alice")

    async def test_it_is_an_authenticator_and_a_login(self) -> None:
        site = self.site(self.run_op())
        for interface in (IAuthenticator, ILogin, ILoginWishes, IOpenIdLogin):
            verifyObject(interface, site.logins["openid"])

    async def test_https_is_all_there_is_by_itself(self) -> None:
        """And whom to trust for it can be said."""
        op = self.run_op(Pki.create())
        site = self.site(op, https_only=True, ca=str(op.ca))
        typed = op.identity("alice").removeprefix("https://")
        assert (await site.enter(op, typed)).status == 303
        plain = f"http://{typed}"
        assert "not encrypted" in (await site.type(await site.ask_for(), plain)).body

    async def test_servers_whose_certificates_were_taken_back_count_for_nothing(
        self,
    ) -> None:
        """Neither those of identifiers nor providers (RFC 5280 section 6.3)."""
        pki = Pki.create()
        op = self.run_op(pki)
        pages = self.run_op(pki, names=op.op_endpoint)
        lists = self.directory / "ca.crl"
        assert op.certificate is not None
        assert pages.certificate is not None
        typed = op.switches.claims = pages.identity("alice")

        def site(*revoked: Issued) -> OpenIdSite:
            lists.write_bytes(pki.crl(revoked))
            users, ca, crl = {typed: "alice"}, str(op.ca), str(lists)
            return self.site(op, users, ca=ca, crl=crl, https_only=True)

        assert (await site().enter(op, typed)).status == 303
        # It shares no secret with us then, and cannot be asked about its answer either.
        assert (await site(op.certificate).enter(op, typed)).status == 503
        assert self.said().endswith("[AOID 014]")
        last = site(pages.certificate)
        assert (await last.type(await last.get("/"), typed)).status == 400
        assert self.said().endswith("[AOID 014]")

    async def test_the_session_of_another_authenticator_is_none_of_ours(self) -> None:
        op = self.run_op()
        site = self.site(op)
        await site.enter(op, op.identity("alice"))
        request = site.browser.request()
        session = (await site.store.load(request)).session
        assert session is not None
        login = site.logins["openid"]
        ours = attrs.evolve(request, session=session)
        assert isinstance(await login.authenticate(ours), Authenticated)
        identity = attrs.evolve(session.identity, authenticator="corp")
        other = attrs.evolve(session, identity=identity)
        request = attrs.evolve(request, session=other)
        assert await login.authenticate(request) == NotPresented()

    async def test_a_name_that_basic_cannot_say_is_not_said(self) -> None:
        """Behind the first colon stands the password."""
        op = self.run_op()
        users = {op.identity("alice"): "root:password"}
        scene = {"consumed": frozenset({"authorization"})}
        site = self.site(op, users, backend_password=Secret("password"), scene=scene)
        await site.enter(op, op.identity("alice"))
        assert (await site.get("/")).status == 200
        admission = site.scene.backend.exchange.admission
        assert admission is not None
        assert b"Authorization:" not in admission.block

    async def test_programs_come_with_a_password_where_people_have_an_openid(
        self,
    ) -> None:
        """Alternative to Basic: the page is the body of a 401 with its challenge."""
        op = self.run_op()
        site = self.site(op, basic=True, in_answer=True)
        page = await site.get("/page")
        assert page.status == 401
        assert 'name="openid_identifier"' in page.body
        assert "Basic" in dict(page.headers)["www-authenticate"]
        line = b"Authorization: " + basic("alice", "wonderland").encode()
        assert (await site.wait("/page", line)).status == 200
        away = await site.type(page, op.identity("alice"))
        assert (await site.come_back_from(op, away.location)).status == 303
        assert (await site.get("/page")).status == 200

    async def test_without_a_challenge_the_page_is_the_body_of_a_403(self) -> None:
        """A 401 has to have one (RFC 9110 section 15.5.2)."""
        op = self.run_op()
        site = self.site(op, in_answer=True)
        page = await site.get("/page")
        assert page.status == 403
        assert "www-authenticate" not in dict(page.headers)
        away = await site.type(page, op.identity("alice"))
        assert (await site.come_back_from(op, away.location)).location == "/page"

    async def test_the_backend_gets_everybodys_password_with_the_users_name(
        self,
    ) -> None:
        op = self.run_op()
        scene = {"consumed": frozenset({"authorization"})}
        site = self.site(op, backend_password=Secret("password"), scene=scene)
        await site.enter(op, op.identity("alice"))
        stolen = b"Authorization: " + basic("root", "password").encode()
        assert (await site.wait("/", stolen)).status == 200
        admission = site.scene.backend.exchange.admission
        assert admission is not None
        block = admission.block
        assert block.count(b"Authorization:") == 1
        sent = basic("alice.liddell", "password").encode()
        assert b"Authorization: " + sent + b"\r\n" in block
        assert site.logins["openid"].consumes == ("authorization",)


def test_a_route_can_ask_for_no_more_than_the_protocol_has() -> None:
    check = OpenId2Authenticator.check_wishes
    check(None, Wishes(prompt=("none",)))  # type: ignore[arg-type]
    for wishes in (
        Wishes(acr_values=("mfa",)),
        Wishes(max_age=60),
        Wishes(claims={}),
        Wishes(resource=("x",)),
        Wishes(prompt=("login",)),
    ):
        with pytest.raises(ValueError, match=r"OpenID|prompt"):
            check(None, wishes)  # type: ignore[arg-type]
