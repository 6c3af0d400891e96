"""From a configuration to its parts, or to every reason why not."""

import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from sso_proxy.building import Builder
from sso_proxy.callers import name_user
from sso_proxy.config.limits import RouteLimitsConfig
from sso_proxy.config.model import (
    ComponentConfig,
    Config,
    ListenerConfig,
    RouteConfig,
    ServerConfig,
    UpstreamConfig,
)
from sso_proxy.config.route_parts import (
    BindingConfig,
    CorsConfig,
    HeadersConfig,
    ResourceConfig,
)
from sso_proxy.config.signature_parts import SignatureConfig
from sso_proxy.config.token_parts import RouteTokenConfig
from sso_proxy.errors import ConfigError
from sso_proxy.outgoing import without_credentials
from sso_proxy.parts import Parts
from sso_proxy.specs.oauth.protected_resource import WELL_KNOWN
from sso_proxy.storage import Needs
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity, make_request
from sso_proxy.testing.tokens import TokenSigner, jwks
from sso_proxy.tools import Tools
from sso_proxy.upstream.target import Patience, Target
from tests.support.caching import now


def close(coroutine: Coroutine[Any, Any, Any]) -> None:
    coroutine.close()


def route(**options: Any) -> RouteConfig:  # noqa: ANN401
    given = {
        "host": "a.example",
        "authenticate": ("anonymous",),
        "backend": "http://127.0.0.1:9",
    }
    return RouteConfig(**(given | options))


class Built:
    """The parts of a configuration, and the targets that were asked for."""

    def __init__(self, *routes: RouteConfig, **config: Any) -> None:  # noqa: ANN401
        self.targets: list[tuple[Target, Patience]] = []
        self.config = Config(
            listener=(ListenerConfig(address="127.0.0.1", tls=False),),
            route=routes,
            **config,
        )
        tools = Tools(
            name="",
            clock=SettableClock(),
            http_client=None,
            reactor=None,
            spawn=close,
            shared=lambda _key, make: make(),
        )
        self.builder = Builder(self.config, tools, self.make)

    def make(self, target: Target, patience: Patience) -> Target:
        self.targets.append((target, patience))
        return target

    def parts(self) -> Parts:
        return self.builder.build()

    def mistakes(self) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.parts()
        return [mistake.path for mistake in caught.value.mistakes]


def only(parts: Parts, path: str = "/") -> Any:  # noqa: ANN401
    routes = parts.routes.of_host("a.example")
    assert routes is not None
    return routes.find(path)


def test_a_route_has_what_it_names() -> None:
    made = only(
        Built(
            route(
                methods=("GET",),
                upgrade=("WebSocket",),
                binding=BindingConfig(certificate="require"),
                headers=HeadersConfig(claims=("a",), claim_names={"b": "X-B"}),
                require=("scope:x",),
                limits=RouteLimitsConfig(body_bytes=7),
                upstream=UpstreamConfig(host="inner"),
            )
        ).parts()
    )
    assert made.methods == {"GET"}
    assert made.upgrades == {"websocket"}
    assert [binding.kind for binding in made.demanded] == ["certificate"]
    assert made.headers.claims == (("a", "X-Claim-a"), ("b", "X-B"))
    assert made.body_bytes == 7
    assert made.upstream_host == "inner"
    assert len(made.requirements.conditions) == 1


def members(made: Any) -> set[str]:  # noqa: ANN401
    return set(made.bindings)


def test_keys_are_checked_only_where_somebody_asks_for_it() -> None:
    """A token with a confirmation that nothing here checks is refused."""
    level = BindingConfig(dpop="observe")
    parts = Built(route(), route(path="/d/", binding=level)).parts()
    always = {"x5t#S256", "tbh"}
    assert members(only(parts)) == always
    assert members(only(parts, "/d/")) == always | {"jkt"}
    assert only(parts, "/d/").demanded == ()
    table = {"dpop": ComponentConfig(type="dpop")}
    assert members(only(Built(route(), binding=table).parts())) == always | {"jkt"}


def test_a_route_can_demand_several_bindings() -> None:
    level = BindingConfig(dpop="require", certificate="require")
    made = only(Built(route(binding=level)).parts())
    assert {binding.kind for binding in made.demanded} == {"dpop", "certificate"}


def test_only_who_marks_proofs_needs_a_cache(tmp_path: Path) -> None:
    none = Built(route()).parts()
    assert none.caches == ()
    assert none.needs == Needs()
    level = BindingConfig(dpop="require")
    one = Built(route(binding=level)).parts()
    assert len(one.caches) == 1
    assert one.needs.directory is not None
    assert one.needs.key_ring is None
    options = {"nonce": "required"}
    table = {"dpop": ComponentConfig(type="dpop", options=options)}
    server = ServerConfig(state_dir=str(tmp_path))
    keyed = Built(route(), binding=table, server=server).parts()
    assert keyed.needs.key_ring == tmp_path / "keys.json"


def test_a_binding_that_cannot_be_made_is_the_only_mistake() -> None:
    options = {"cache": "gone"}
    table = {"dpop": ComponentConfig(type="dpop", options=options)}
    level = BindingConfig(dpop="require")
    built = Built(route(binding=level), binding=table)
    assert built.mistakes() == ["binding.dpop.cache"]


def test_a_table_is_named_after_the_kind_of_binding() -> None:
    table = {"device": ComponentConfig(type="dpop")}
    assert Built(route(), binding=table).mistakes() == ["binding.device.type"]


def test_what_holds_credentials_goes_no_further() -> None:
    key = jwks(TokenSigner.create()).decode()
    options = {"issuer": "https://login.example.com", "audience": ["a"], "jwk": key}
    by_header = ComponentConfig(type="bearer", options=options)
    places = ["query:t", "cookie:c", "header:X-Token", "form:f"]
    elsewhere = ComponentConfig(type="bearer", options={**options, "token_in": places})
    both = {"a": by_header, "b": elsewhere}
    made = only(Built(route(authenticate=("a", "b")), authenticator=both).parts())
    assert made.consumed == {"authorization", "dpop", "x-token"}
    assert made.consumed_parameters == ("t",)
    assert made.consumed_cookies == ("c",)
    assert made.consumed_fields == ("f",)
    assert made.reads_query
    assert made.reads_form
    plain = only(Built(route(authenticate=("a",)), authenticator=both).parts())
    assert not plain.reads_query
    assert not plain.reads_form


def test_a_route_tells_clients_what_its_tables_say() -> None:
    made = only(
        Built(
            route(
                cors=CorsConfig(origins=("https://b.example",)),
                resource=ResourceConfig(),
                binding=BindingConfig(dpop="require"),
            ),
        ).parts()
    )
    assert made.cors.origins == {"https://b.example"}
    assert made.offer.dpop == "require"
    assert made.offer.resource_metadata.startswith("https://a.example/.well-known/")


def test_parts_of_one_resource_say_the_same() -> None:
    whole = "https://a.example"
    one = route(path="/1/", resource=ResourceConfig(identifier=whole))
    two = route(path="/2/", resource=ResourceConfig(identifier=whole))
    parts = Built(one, two).parts()
    metadata = only(parts, WELL_KNOWN)
    assert metadata.published is not None
    assert only(parts, "/1/").published is only(parts, "/2/").published is None
    other = ResourceConfig(identifier=whole, resource_name="Two")
    built = Built(one, route(path="/2/", resource=other))
    assert built.mistakes() == ["route[1].resource"]


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    built = Built(
        route(require=("nonsense(", "scope:x")),
        route(path="/b/", backend=f"static:{tmp_path}/none"),
        route(path="/c/", backend="wsgi:no.such.module:app"),
        route(
            path="/d/",
            backend="https://b.example",
            upstream=UpstreamConfig(ca=str(tmp_path / "none")),
        ),
        authenticator={"x": ComponentConfig(type="no-such-type")},
    )
    assert sorted(built.mistakes()) == sorted(
        [
            "authenticator.x.type",
            "route[0].require[0]",
            "route[1].backend",
            "route[2].backend",
            "route[3].upstream",
        ]
    )


def test_a_listener_that_cannot_be_built_is_said() -> None:
    built = Built(route())
    built.config = built.builder._config = Config(  # noqa: SLF001
        listener=(ListenerConfig(address="127.0.0.1", certificate="/no", key="/no"),),
        route=(route(),),
    )
    assert built.mistakes()


def test_memcached_is_refused_for_what_must_not_be_forgotten() -> None:
    caches = {"mine": ComponentConfig(type="memcached")}
    table = {"dpop": ComponentConfig(type="dpop", options={"cache": "mine"})}
    level = BindingConfig(dpop="require")
    built = Built(route(binding=level), binding=table, cache=caches)
    with pytest.raises(ConfigError) as caught:
        built.parts()
    (mistake,) = caught.value.mistakes
    assert str(mistake) == "binding.dpop.cache: 'mine' is a cache that cannot mark"


def signing(directory: Path, name: str = "sso", **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give a table of tokens that are signed with a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    file = directory / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    given = {"issuer": "https://sso.example", "keys": [str(file)], **options}
    return {name: ComponentConfig(type="jwt", options=given)}


def names_at(parts: Parts, host: str, path: str = "/.sso/jwks") -> list[str]:
    """Give the names of the keys that are published."""
    routes = parts.routes.of_host(host)
    found = routes.find(path) if routes is not None else None
    if found is None or found.logins is None:
        return []
    answer = now(found.logins.answer(make_request(path=path)))
    assert answer is not None
    return [key["kid"] for key in json.loads(answer.body)["keys"]]


TOKEN = RouteTokenConfig(name="sso", audience="https://orders.example")


def test_keys_of_tokens_are_published_where_these_are_used(tmp_path: Path) -> None:
    tables = {**signing(tmp_path), **signing(tmp_path, "other")}
    with_token = route(host="b.example", path="/b/", token=(TOKEN,))
    parts = Built(route(), with_token, token=tables).parts()
    (kid,) = [key["kid"] for key in parts.public_keys["sso"]]
    assert names_at(parts, "b.example") == [kid]
    assert names_at(parts, "a.example") == []
    assert parts.public_keys.keys() == {"sso", "other"}


def test_keys_are_published_at_further_hosts(tmp_path: Path) -> None:
    """A host's routes stay what they are, also if they are of a pattern of hosts."""
    hosts = ["keys.example", "app.other.example"]
    tables = signing(tmp_path, publish_at=hosts)
    parts = Built(route(), route(host="*.other.example"), token=tables).parts()
    for host in (*hosts, "another.other.example"):
        assert len(names_at(parts, host)) == 1
    routes = parts.routes.of_host("app.other.example")
    assert routes is not None
    assert routes.find("/") is not None
    assert names_at(parts, "a.example") == []


def test_the_name_of_a_key_means_one_key_at_a_host(tmp_path: Path) -> None:
    tables = {
        **signing(tmp_path, kid="k"),
        **signing(tmp_path, "other", kid="k", publish_at=["a.example"]),
    }
    assert Built(route(token=(TOKEN,)), token=tables).mistakes() == [
        "token.other.publish_at"
    ]


def test_a_token_is_for_somebody(tmp_path: Path) -> None:
    token = RouteTokenConfig(name="sso")
    tables = signing(tmp_path)
    assert Built(route(token=(token,)), token=tables).mistakes() == [
        "route[0].token[0].audience"
    ]


def test_requests_of_a_route_are_signed(tmp_path: Path) -> None:
    """The key is published where tokens' keys are; clients' signatures end here."""
    signing(tmp_path)
    signature = SignatureConfig(
        key=str(tmp_path / "sso.pem"), keyid="proxy", digest=True
    )
    parts = Built(route(signature=signature)).parts()
    signed = only(parts, "/orders")
    assert signed.signer is not None
    assert signed.removed == {"signature", "signature-input", "content-digest"}
    assert signed.reads_form
    assert names_at(parts, "a.example") == ["proxy"]


def test_keys_are_published_of_tokens_that_others_are_made_from(tmp_path: Path) -> None:
    """The server that is asked looks them up at the host of the route."""
    options = {
        "endpoint": "https://sts.example/token",
        "auth": "none",
        "subject": "token:sso",
        "subject_audience": "https://sts.example",
    }
    tables = {
        "orders": ComponentConfig(type="jwt_bearer", options=options),
        **signing(tmp_path),
    }
    token = RouteTokenConfig(name="orders")
    parts = Built(route(token=(token,)), token=tables).parts()
    assert len(names_at(parts, "a.example")) == 1


def test_what_a_backend_must_not_get_is_removed() -> None:
    headers = HeadersConfig(remove=("Authorization", "cookie:legacy"))
    made = only(Built(route(headers=headers)).parts(), "/")
    assert made.removed == {"authorization"}
    assert made.consumed_cookies == ("legacy",)
    request = make_request(headers={"cookie": "legacy=1; a=2"})
    assert without_credentials(request, made).head.headers == (("cookie", "a=2"),)


def test_mappers_may_ask_others_wherever_they_stand() -> None:
    table = {
        "people": ComponentConfig(type="chain", options={"mappers": ("few", "rest")}),
        "few": ComponentConfig(type="static", options={"users": {"alice": "al"}}),
        "rest": ComponentConfig(type="claim", options={"claim": "login"}),
    }
    made = only(Built(route(map_user=("people",)), mapper=table).parts())
    assert now(name_user(made, make_identity("alice"))) == "al"
    bob = make_identity("bob", claims={"login": "bo"})
    assert now(name_user(made, bob)) == "bo"


def test_mappers_that_ask_each_other_are_a_mistake() -> None:
    table = {
        name: ComponentConfig(type="chain", options={"mappers": (other,)})
        for name, other in (("a", "b"), ("b", "a"), ("c", "nobody"))
    }
    built = Built(route(map_user=("a",)), mapper=table)
    assert {*built.mistakes()} == {f"mapper.{name}.mappers[0]" for name in "abc"}
