"""The log has the codes of mod_auth_oid."""

import pytest

from sso_proxy.authn.openid2_config import OpenId2Config
from sso_proxy.authn.openid2_log import Code, code_of, mark
from sso_proxy.authn.openid2_parts import build_parts
from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.interfaces import IUserMapper
from sso_proxy.sessions.names import encode
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.pki import Pki
from tests.support.openid2_login import SiteCase


class BrokenMappers(FakeTools):
    """Mappers whose options are wrong."""

    def mapper(self, name: str) -> IUserMapper:
        """Say so, as the builder does."""
        problem = f"needs mapper.{name}, which cannot be used"
        raise ConfigError(Mistake("", problem))


def _mistakes(tools: FakeTools, **options: object) -> str:
    config = OpenId2Config(**{"mappers": ("users",), **options})  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as refused:
        build_parts(config, tools)
    return "; ".join(str(each) for each in refused.value.mistakes)


def test_a_line_ends_with_the_code_of_mod_auth_oid() -> None:
    assert mark(Code.NO_LOGIN) == "[AOID 015]"


def test_a_server_that_is_down_is_a_reason_to_log_in_again() -> None:
    assert code_of(UnavailableError("x")) is Code.NO_LOGIN


def test_001_a_mapper_is_not_there() -> None:
    assert "[AOID 001]" in _mistakes(FakeTools())


def test_003_a_mapper_cannot_be_made() -> None:
    """An expression of a pattern, mostly; its own mistake says which."""
    assert "[AOID 003]" in _mistakes(BrokenMappers())


class CodeTests(SiteCase):
    """What happens at a site."""

    def has(self, code: str, text: str) -> None:
        """Check that a line has that code."""
        lines = [line for line in self.lines if line.endswith(f"[AOID {code}]")]
        assert any(text in line for line in lines), self.lines

    async def test_002_which_mappers_are_asked(self) -> None:
        self.site(self.run_op())
        self.has("002", "named by users")

    async def test_004_the_realm_does_not_cover_us(self) -> None:
        op = self.run_op()
        site = self.site(op, realm="https://other.example.com/")
        page = await site.type(await site.get("/"), op.identity("alice"))
        assert page.status == 500
        self.has("004", "does not cover")

    async def test_004_options_make_no_sense_together(self) -> None:
        op = self.run_op()
        with pytest.raises(ConfigError) as refused:
            self.site(op, in_answer=True, provider=op.op_identifier)
        assert "[AOID 004]" in str(refused.value.mistakes[0])

    async def test_010_a_cookie_is_not_sealed_by_us(self) -> None:
        site = self.site(self.run_op(), scene={"kind": "cookie"})
        site.browser.cookies[site.store.common.jar.name] = "1." + encode(b"x" * 100)
        await site.get("/")
        self.has("010", "not sealed by us")

    async def test_010_a_login_of_somebody_else_is_opened_by_nobody(self) -> None:
        op = self.run_op()
        site = self.site(op)
        place = op.visit(await site.leave(op.identity("alice")))
        (name,) = site.browser.cookies
        site.browser.cookies[name] = encode(b"x" * 100)
        assert (await site.bring(place)).status == 400
        self.has("010", "not from us")

    async def test_011_too_much_is_to_be_kept(self) -> None:
        op = self.run_op(local_ids=True)
        site = self.site(op)
        typed = op.identity("a" * 900)
        page = await site.type(await site.get("/" + "b" * 1490), typed)
        assert page.status == 400
        self.has("011", "too many to keep")

    async def test_012_a_session_is_over(self) -> None:
        site = self.site(self.run_op())
        site.browser.cookies[site.store.common.jar.name] = "1." + encode(b"x" * 32)
        await site.get("/")
        self.has("012", "is over")

    async def test_013_a_session_cookie_is_damaged(self) -> None:
        for kind in ("server", "cookie"):
            site = self.site(self.run_op(), scene={"kind": kind})
            site.browser.cookies[site.store.common.jar.name] = "no/name"
            await site.get("/")
            self.has("013", "damaged")
            self.lines.clear()

    async def test_014_a_server_cannot_prove_who_it_is(self) -> None:
        op = self.run_op(Pki.create())
        site = self.site(op)
        page = await site.type(await site.get("/"), op.identity("alice"))
        assert page.status == 400
        self.has("014", op.url)

    async def test_015_why_somebody_has_to_log_in(self) -> None:
        site = self.site(self.run_op())
        await site.get("/")
        self.has("015", "there is no session cookie")

    async def test_016_somebody_sees_which_identifier_is_theirs(self) -> None:
        op = self.run_op()
        site = self.site(op, shows_identifier=True)
        away = await site.type(await site.get("/.sso/openid/openid"), op.op_identifier)
        await site.come_back_from(op, away.location)
        self.has("016", op.identity("alice"))
