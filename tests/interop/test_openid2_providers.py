"""What Net::OpenID::Server does otherwise than others is understood, or made up for."""

from urllib.request import HTTPErrorProcessor, build_opener

from sso_proxy.specs.openid2.association import OFFERS
from tests.support.openid2_perl_op import PerlProvider, perl_op
from tests.support.openid2_scene import Scene


class _Stays(HTTPErrorProcessor):
    def http_response(self, request: object, response: object) -> object:
        del request
        return response


def visit(url: str) -> str:
    """Do what a browser does that was sent to *url*; give where it is sent on."""
    with build_opener(_Stays).open(url, timeout=20) as reply:
        return str(reply.headers["Location"])


class PerlTests(Scene):
    """Logins at another provider."""

    def run_perl(self) -> PerlProvider:
        running = perl_op()
        op = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        return op

    async def test_somebody_logs_in_with_the_kind_that_it_knows(self) -> None:
        """It refuses the first with 200, and suggests a pair that is none."""
        op = self.run_perl()
        providers = self.make()
        endpoint, url = await self.begin(providers, op.identity)
        assertion = self.read(self.bring(visit(url)))
        await providers.verify(assertion, endpoint)
        assert assertion.claimed_id == op.identity
        assert op.modes() == ["associate", "associate", "checkid_setup"]
        kinds = [each["openid.session_type"] for each in op.asked[:2]]
        assert kinds == [offer.session for offer in OFFERS[:2]]
        assert await self.refused(providers.verify(assertion, endpoint)) == (
            "openid-replay"
        )

    async def test_its_answers_are_used_once_although_it_says_yes_again(self) -> None:
        op = self.run_perl()
        providers = self.make(offers=())
        endpoint, url = await self.begin(providers, op.identity)
        assertion = self.read(self.bring(visit(url)))
        await providers.verify(assertion, endpoint)
        assert await self.refused(providers.verify(assertion, endpoint)) == (
            "openid-replay"
        )
        assert op.modes() == ["checkid_setup", *["check_authentication"] * 2]
