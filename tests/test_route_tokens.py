"""Routes get the tokens that they name, each source made once."""

from pathlib import Path
from typing import Any

import pytest
from zope.interface import implementer

from sso_proxy.config.model import ComponentConfig, RouteConfig, UpstreamConfig
from sso_proxy.config.token_parts import RouteTokenConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IPublishesKeys, ITokenSource
from sso_proxy.route_tokens import RouteTokens
from sso_proxy.testing.fakes import FakeTokenSource
from sso_proxy.testing.pki import Pki
from sso_proxy.token import Audience


class Strict(FakeTokenSource):
    """A source that gives no token without an audience."""

    def check_audience(self, audience: Audience) -> None:
        if not audience.name:
            raise ValueError("is missing")


class Made:
    """Sources, made from names of others that each needs."""

    def __init__(self, **needs: str) -> None:
        self.made: list[str] = []
        tables = {
            name: ComponentConfig(type="fake", options={"needs": other})
            for name, other in needs.items()
        }
        self.tokens = RouteTokens(tables, self.make)

    def make(self, name: str, component: ComponentConfig) -> ITokenSource:
        self.made.append(name)
        needs = component.options["needs"]
        if needs == "broken":
            raise ConfigError(Mistake(f"token.{name}", "is broken"))
        if needs:
            self.tokens.source(needs)
        return Strict()

    def find(self, *tokens: RouteTokenConfig, **options: Any) -> Any:  # noqa: ANN401
        given: dict[str, Any] = {
            "host": "a",
            "authenticate": ("anonymous",),
            "backend": "b",
        }
        route = RouteConfig(**given, token=tokens, **options)
        return self.tokens.find("route[0]", route)

    def mistakes(self) -> list[str]:
        return [f"{m.path}: {m.problem}" for m in self.tokens.mistakes]


ORDERS = RouteTokenConfig(name="a", audience="https://orders.example")


def test_a_route_has_what_it_names() -> None:
    (supply,) = Made(a="").find(ORDERS)
    assert supply.audience == Audience(name="https://orders.example")
    assert supply.required
    assert supply.consumes == ("authorization",)


def test_a_source_is_made_once_for_all_that_need_it() -> None:
    made = Made(a="b", b="", c="b")
    made.tokens.make_all()
    made.find(ORDERS)
    assert made.made == ["a", "b", "c"]
    assert made.mistakes() == []


def test_sources_that_need_each_other_are_none() -> None:
    made = Made(a="b", b="a")
    made.tokens.make_all()
    assert made.mistakes()[0] == (": goes round in a circle: 'a' needs 'b' needs 'a'")
    with pytest.raises(ConfigError):
        made.find(ORDERS)


def test_what_needs_something_broken_is_broken() -> None:
    made = Made(a="b", b="broken")
    made.tokens.make_all()
    assert made.mistakes() == [
        "token.b: is broken",
        ": needs token.b, which cannot be used",
    ]


def test_what_is_not_there_is_said_with_what_is() -> None:
    made = Made(a="orderz", orders="")
    made.tokens.make_all()
    (mistake,) = made.mistakes()
    assert "orders" in mistake


def test_an_audience_that_no_token_can_be_for_is_a_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        Made(a="").find(RouteTokenConfig(name="a"))
    (mistake,) = caught.value.mistakes
    assert (mistake.path, mistake.problem) == (
        "route[0].token[0].audience",
        "is missing",
    )


def test_an_audience_knows_the_certificate_that_we_show(tmp_path: Path) -> None:
    ours = Pki.create().issue("proxy")
    file = tmp_path / "proxy.pem"
    file.write_bytes(ours.cert_pem)
    upstream = UpstreamConfig(certificate=str(file), key="key")
    (supply,) = Made(a="").find(ORDERS, upstream=upstream)
    assert supply.audience.thumbprint == ours.thumbprint


def test_a_certificate_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    for content in (None, b"nothing"):
        file = tmp_path / "bad.pem"
        if content is not None:
            file.write_bytes(content)
        upstream = UpstreamConfig(certificate=str(file), key="key")
        with pytest.raises(ConfigError) as caught:
            Made(a="").find(ORDERS, upstream=upstream)
        (mistake,) = caught.value.mistakes
        assert mistake.path == "route[0].upstream.certificate"


@implementer(IPublishesKeys)
class Signing(FakeTokenSource):
    """A source that signs with a key of ours."""

    public_keys = ({"kid": "1"},)
    publish_at = ()


def test_keys_are_published_of_all_sources_that_a_token_comes_from() -> None:
    made: dict[str, Any] = {}
    tables = {name: ComponentConfig(type="fake") for name in ("a", "b", "c", "d")}
    needs = {"a": "b", "b": "c"}

    def make(name: str, _: ComponentConfig) -> ITokenSource:
        if name in needs:
            tokens.source(needs[name])
        source: ITokenSource = FakeTokenSource() if name == "b" else Signing()
        made[name] = source
        return source

    tokens = RouteTokens(tables, make)
    tokens.make_all()
    assert tokens.publishers == {name: made[name] for name in ("c", "a", "d")}
    assert [*tokens.publishing("a")] == [made["a"], made["c"]]
    assert [*tokens.publishing("d")] == [made["d"]]
