"""What a provider, or somebody in its name, must not have us believe."""

from typing import Any

import attrs
import pytest

from sso_proxy.net.http_client import ClientTls, HttpReply, NoReplyError
from sso_proxy.net.openid2_fetch import FetchRules
from sso_proxy.net.openid2_provider import (
    NEEDS,
)
from sso_proxy.specs.openid2.association import OFFERS
from sso_proxy.specs.openid2.names import NS
from sso_proxy.testing.fakes import FakeTools
from tests.support.openid2_op import OpenIdProvider
from tests.support.openid2_scene import LOOPBACK, PKI, Said, Scene


class AttackTests(Scene):
    """What must not log anybody in."""

    async def test_an_answer_is_used_once(self) -> None:
        """With and without an association, and in whichever process."""
        for offers in (OFFERS, ()):
            op = self.run_op()
            providers = self.make(offers=offers)
            assertion, found = await self.log_in(op, providers, op.identity("alice"))
            again = self.make(offers=offers).verify(assertion, found)
            expected = "openid-replay" if offers else "openid-signature"
            assert await self.refused(again) == expected

    async def test_a_provider_that_says_yes_again_is_not_believed(self) -> None:
        """Net::OpenID::Server does: replay is our business."""
        yes = HttpReply(status=200, body=f"ns:{NS}\nis_valid:true\n".encode())
        op = self.run_op()
        assertion, found = await self.log_in(op, self.make(), op.identity("alice"))
        self.cache = FakeTools().cache(None, NEEDS)
        providers = self.make(Said(yes, yes), offers=())
        await providers.verify(assertion, found)
        assert await self.refused(providers.verify(assertion, found)) == "openid-replay"

    async def test_somebody_elses_identifier_is_not_believed(self) -> None:
        """ID spoofing: the identifier is looked up, and names another provider."""
        ours, evil = self.run_op(), self.run_op()
        evil.switches.claims = ours.identity("alice")
        for typed in (evil.identity("alice"), evil.op_identifier):
            work = self.log_in(evil, self.make(), typed)
            assert await self.refused(work) == "openid-discovery"
        assert "/id/alice" in ours.fetched

    async def test_an_association_of_another_provider_signs_nothing(self) -> None:
        """Key confusion: one handle at two providers, of which one is an attacker's."""
        ours, evil = self.run_op(), self.run_op()
        providers = self.make()
        known = await providers.associate(evil.op_endpoint)
        assert known is not None

        def pretend(fields: Any) -> None:  # noqa: ANN401
            fields.setArg(fields.getOpenIDNamespace(), "op_endpoint", ours.op_endpoint)

        evil.switches.claims = ours.identity("alice")
        evil.switches.before_signing = pretend
        work = self.log_in(evil, providers, evil.op_identifier)
        assert await self.refused(work) == "openid-signature"
        # the handle is none of that provider's: it was asked, and knows nothing of it
        assert ours.modes() == ["check_authentication"]

    async def test_two_providers_may_have_one_handle(self) -> None:
        """Neither loses its association by what the other one calls its own."""
        ours, evil = self.run_op(), self.run_op()
        providers = self.make()
        first = await providers.associate(ours.op_endpoint)
        assert first is not None
        stolen = attrs.evolve(first, op_endpoint=evil.op_endpoint, mac_key=bytes(32))
        await providers._keep(stolen)  # noqa: SLF001 - as if that one had named it so
        assertion, _ = await self.log_in(ours, providers, ours.identity("alice"))
        assert assertion.handle == stolen.handle
        assert ours.modes() == ["associate", "checkid_setup"]

    async def test_a_change_after_signing_is_found(self) -> None:
        """With an association, and by the provider itself."""
        for offers in (OFFERS, ()):
            op = self.run_op()

            def change(fields: Any, op: OpenIdProvider = op) -> None:  # noqa: ANN401
                space = fields.getOpenIDNamespace()
                fields.setArg(space, "claimed_id", op.identity("root"))
                fields.setArg(space, "identity", op.identity("root"))

            op.switches.after_signing = change
            work = self.log_in(op, self.make(offers=offers), op.identity("alice"))
            assert await self.refused(work) == "openid-signature"

    async def test_what_is_not_signed_is_refused_before_anybody_is_asked(self) -> None:
        op = self.run_op()

        def unsign(fields: Any) -> None:  # noqa: ANN401
            space = fields.getOpenIDNamespace()
            names = fields.getArg(space, "signed").split(",")
            names.remove("claimed_id")
            fields.setArg(space, "signed", ",".join(names))

        op.switches.after_signing = unsign
        work = self.log_in(op, self.make(offers=()), op.identity("alice"))
        assert await self.refused(work) == "openid-unsigned"
        assert "check_authentication" not in op.modes()

    async def test_a_provider_that_is_not_listed_is_not_believed(self) -> None:
        op = self.run_op()
        assertion, found = await self.log_in(op, self.make(), op.identity("alice"))
        rules = FetchRules(networks=LOOPBACK, providers=("https://op.example/",))
        providers = self.make(rules=rules)
        assert await self.refused(providers.verify(assertion, found)) == (
            "openid-provider"
        )
        assert await providers.associate(op.op_endpoint) is None

    async def test_a_provider_in_our_network_is_not_asked(self) -> None:
        """What a stranger's page names as provider could be anything here."""
        op = self.run_op()
        assertion, found = await self.log_in(op, self.make(), op.identity("alice"))
        asked = len(op.asked)
        self.cache = FakeTools().cache(None, NEEDS)
        providers = self.make(rules=FetchRules())
        assert await providers.associate(op.op_endpoint) is None
        with pytest.raises(NoReplyError, match="local address"):
            await providers.verify(assertion, found)
        assert len(op.asked) == asked

    async def test_a_revoked_provider_is_not_asked(self) -> None:
        op = self.run_op(PKI)
        assert op.ca is not None
        assert op.certificate is not None
        good = ClientTls(ca=op.ca.read_bytes(), crl=PKI.crl([]))
        bad = ClientTls(ca=op.ca.read_bytes(), crl=PKI.crl([op.certificate]))
        assert await self.make(tls=bad).associate(op.op_endpoint) is None
        assert await self.make(tls=good).associate(op.op_endpoint) is not None

    async def test_a_secret_is_sealed_in_the_cache(self) -> None:
        op = self.run_op()
        made = await self.make().associate(op.op_endpoint)
        assert made is not None
        kept = repr(vars(self.cache)) + repr(
            [vars(kind) for kind in self.cache._kinds.values()]  # noqa: SLF001
        )
        assert made.mac_key.hex() not in kept
        assert repr(made.mac_key) not in kept
