"""Tokens are signed here for one backend, and say what is true about the caller."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto.jwk import JWK

from sso_proxy.errors import ConfigError
from sso_proxy.interfaces import IPublishesKeys, ITokenSource
from sso_proxy.model import ANONYMOUS, Caller, Identity
from sso_proxy.registry import provided_problems
from sso_proxy.session import Session
from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.keys import read_jwks
from sso_proxy.specs.jose.public_jwk import jwks_document
from sso_proxy.specs.jose.verify import check_signature
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW, FakeTools, make_identity, make_request
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.jwt import JwtSource
from sso_proxy.tokens.jwt_config import JwtTokenConfig

ISSUER = "https://sso.example.com"
ORDERS = Audience(name="https://orders.example.com")
STOCK = Audience(name="https://stock.example.com")
KEY = JWK.from_pyca(ec.generate_private_key(ec.SECP256R1()))
OTHER_KEY = JWK.from_pyca(ec.generate_private_key(ec.SECP256R1()))


class Scene:
    """A source of tokens, and a clock that is told the time."""

    def __init__(self, directory: Path, *keys: JWK, **options: Any) -> None:  # noqa: ANN401
        files = []
        for number, key in enumerate(keys or (KEY,)):
            file = directory / f"{number}.pem"
            file.write_bytes(key.export_to_pem(private_key=True, password=None))
            files.append(str(file))
        self.clock = SettableClock()
        config = JwtTokenConfig(issuer=ISSUER, keys=tuple(files), **options)
        self.source = JwtSource.from_config(config, FakeTools(clock=self.clock))

    def ask(
        self,
        identity: Identity | None = None,
        audience: Audience = ORDERS,
        *,
        user: str = "alice",
        session: Session | None = None,
    ) -> Token | NotIssued:
        identity = make_identity() if identity is None else identity
        request = attrs.evolve(make_request(), session=session)
        caller = Caller(request=request, identity=identity, user=user)
        found: Token | NotIssued = outcome_of(self.source.token_for(caller, audience))
        return found

    def token(self, *arguments: Any, **more: Any) -> Token:  # noqa: ANN401
        found = self.ask(*arguments, **more)
        assert isinstance(found, Token), found
        return found

    def claims(self, *arguments: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        return self.read(self.token(*arguments, **more))[1]

    def refusal(self, *arguments: Any, **more: Any) -> NotIssued:  # noqa: ANN401
        found = self.ask(*arguments, **more)
        assert isinstance(found, NotIssued), found
        return found

    def read(self, token: Token) -> tuple[dict[str, Any], dict[str, Any]]:
        """Check a token as a backend does that has our keys."""
        jws = split_compact(token.value)
        check_signature(jws, read_jwks(jwks_document(self.source.public_keys)))
        head = token.value.partition(".")[0]
        return json.loads(urlsafe_b64decode(head + "==")), json.loads(jws.payload)


@pytest.fixture
def plain(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def session(expires: float) -> Session:
    return Session(
        id="s", identity=make_identity(), created=NOW, used=NOW, expires=expires
    )


def test_it_is_a_token_source_that_publishes_keys(plain: Scene) -> None:
    assert provided_problems("ITokenSource", plain.source) == []
    assert provided_problems("IPublishesKeys", plain.source) == []
    assert ITokenSource.providedBy(plain.source)
    assert IPublishesKeys.providedBy(plain.source)


def test_a_token_says_who_calls_and_whom_it_is_for(plain: Scene) -> None:
    token = plain.token()
    header, claims = plain.read(token)
    assert header == {"alg": "ES256", "kid": KEY.thumbprint(), "typ": "JWT"}
    assert len(claims.pop("jti")) >= 20
    assert claims == {
        "iss": ISSUER,
        "aud": ORDERS.name,
        "sub": "alice",
        "iat": int(NOW),
        "exp": int(NOW) + 60,
    }
    assert (token.token_type, token.kind) == (
        "Bearer",
        "urn:ietf:params:oauth:token-type:jwt",
    )


def test_a_token_is_for_one_audience(plain: Scene) -> None:
    assert plain.claims(audience=ORDERS)["aud"] == ORDERS.name
    assert plain.claims(audience=STOCK)["aud"] == STOCK.name


def test_the_tables_audience_is_for_routes_that_name_none(tmp_path: Path) -> None:
    scene = Scene(tmp_path, audience="urn:all")
    scene.source.check_audience(Audience())
    assert scene.claims(audience=Audience())["aud"] == "urn:all"
    assert scene.claims(audience=ORDERS)["aud"] == ORDERS.name


def test_a_token_for_nobody_in_particular_is_refused_at_load(plain: Scene) -> None:
    plain.source.check_audience(ORDERS)
    with pytest.raises(ValueError, match="is missing"):
        plain.source.check_audience(Audience())


def test_the_user_is_who_the_backend_knows(plain: Scene) -> None:
    assert plain.claims(make_identity("0815"), user="alice@corp")["sub"] == "alice@corp"


@pytest.mark.parametrize("subject", ["user", "qualified"])
def test_nobody_in_particular_gets_no_token(tmp_path: Path, subject: str) -> None:
    scene = Scene(tmp_path, subject=subject)
    nobody = make_identity(ANONYMOUS, issuer=ANONYMOUS)
    refused = scene.refusal(nobody, user="")
    assert (refused.reason, refused.status) == ("token-nobody", 401)
    # A mapper that gives nobody a name does not make them somebody.
    assert scene.refusal(nobody, user="guest").reason == "token-nobody"


def test_who_has_no_name_gets_no_token(plain: Scene) -> None:
    assert plain.refusal(user="").reason == "token-nobody"


def test_a_subject_is_of_the_one_issuer(tmp_path: Path) -> None:
    """Alice of another issuer is another Alice."""
    corp = "https://login.example.com"
    scene = Scene(tmp_path, subject="subject", subject_issuer=corp)
    assert scene.claims(make_identity("a-1"), user="alice")["sub"] == "a-1"
    refused = scene.refusal(make_identity("a-1", issuer="https://partner.example"))
    assert (refused.reason, refused.status) == ("token-subject", 403)


def test_subjects_of_several_issuers_never_meet(tmp_path: Path) -> None:
    scene = Scene(tmp_path, subject="qualified")
    found = [
        scene.claims(make_identity("alice", issuer=issuer))["sub"]
        for issuer in ("https://a.example", "https://b.example")
    ]
    assert found == ["https://a.example|alice", "https://b.example|alice"]
    # "x" of "a|b" is not "b|x" of "a".
    assert scene.claims(make_identity("b|x", issuer="a"))["sub"] == "a|b|x"
    refused = scene.refusal(make_identity("x", issuer="a|b"))
    assert refused.reason == "token-subject"


@pytest.mark.parametrize("subject", ["a\nb", "admin ", "\u202enimda", "", "x" * 300])
def test_a_subject_that_may_be_read_otherwise_is_refused(
    tmp_path: Path, subject: str
) -> None:
    scene = Scene(tmp_path, subject="qualified")
    assert scene.refusal(make_identity(subject)).reason == "token-subject"


def test_the_issuer_is_told_where_wanted(tmp_path: Path) -> None:
    scene = Scene(tmp_path, idp=True)
    assert scene.claims()["idp"] == "https://login.example.com"


def test_chosen_claims_are_told_and_no_others(tmp_path: Path) -> None:
    scene = Scene(
        tmp_path, claims=("email",), claim_names={"realm_access.roles": "roles"}
    )
    claims = scene.claims(
        make_identity(
            claims={
                "email": "alice@example.com",
                "realm_access": {"roles": ["staff"]},
                "phone": "secret",
            }
        )
    )
    assert claims["email"] == "alice@example.com"
    assert claims["roles"] == ["staff"]
    assert "phone" not in claims
    assert "email" not in scene.claims(make_identity(claims={"email": None}))


def test_what_a_callers_token_says_about_itself_is_not_told(tmp_path: Path) -> None:
    """Whatever is in it, ours has our issuer, audience and times."""
    scene = Scene(tmp_path, jti=False)
    theirs = {
        "iss": "https://evil.example",
        "aud": STOCK.name,
        "sub": "admin",
        "exp": NOW + 1e6,
        "nbf": NOW + 1e6,
        "iat": 1,
        "jti": "theirs",
        "cnf": {"jkt": "theirs"},
        "act": {"sub": "theirs"},
        "scope": "everything",
        "client_id": "theirs",
    }
    assert scene.claims(make_identity(claims=theirs)) == scene.claims(make_identity())


def test_when_and_how_the_user_authenticated_is_told(plain: Scene) -> None:
    given = {"auth_time": int(NOW) - 5, "acr": "gold", "amr": ["otp", "pwd"]}
    claims = plain.claims(make_identity(claims=given))
    assert {name: claims[name] for name in given} == given


def test_what_is_no_authentication_is_not_told(plain: Scene) -> None:
    wrong = {"auth_time": "now", "acr": ["gold"], "amr": "otp"}
    assert not wrong.keys() & plain.claims(make_identity(claims=wrong)).keys()


def test_scopes_are_told_that_the_backend_is_to_know(tmp_path: Path) -> None:
    scene = Scene(tmp_path, scope=("orders.read", "orders.write"))
    caller = make_identity(scopes=["orders.read", "mail"])
    assert scene.claims(caller)["scope"] == "orders.read"
    assert "scope" not in scene.claims(make_identity(scopes=["mail"]))


def test_all_scopes_are_told_where_wanted(tmp_path: Path) -> None:
    scene = Scene(tmp_path, scope=("*",))
    assert scene.claims(make_identity(scopes=["b", "a"]))["scope"] == "a b"


def test_no_scope_is_told_unasked(plain: Scene) -> None:
    assert "scope" not in plain.claims(make_identity(scopes=["a"]))


def test_we_act_for_the_user(tmp_path: Path) -> None:
    scene = Scene(tmp_path, act="add")
    assert scene.claims()["act"] == {"sub": ISSUER}
    before = {"sub": "gateway", "act": {"sub": "app"}}
    claims = scene.claims(make_identity(claims={"act": before}))
    assert claims["act"] == {"sub": ISSUER, "act": before}


def test_who_acted_before_is_kept(tmp_path: Path) -> None:
    scene = Scene(tmp_path, act="keep")
    assert scene.claims(make_identity(claims={"act": {"sub": "app"}}))["act"] == {
        "sub": "app"
    }
    assert "act" not in scene.claims()


@pytest.mark.parametrize("act", ["keep", "add"])
def test_an_actor_is_an_object(tmp_path: Path, act: str) -> None:
    scene = Scene(tmp_path, act=act)
    refused = scene.refusal(make_identity(claims={"act": "app"}))
    assert refused.reason == "token-actor"


def test_a_token_is_bound_to_the_certificate_that_the_backend_sees(
    tmp_path: Path,
) -> None:
    bound = attrs.evolve(
        ORDERS, thumbprint="bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"
    )
    scene = Scene(tmp_path)
    assert scene.claims(audience=bound)["cnf"] == {"x5t#S256": bound.thumbprint}
    assert "cnf" not in scene.claims()
    assert "cnf" not in Scene(tmp_path, cnf=False).claims(audience=bound)


def test_an_access_token_has_all_that_is_required(tmp_path: Path) -> None:
    """RFC 9068 section 2.2: iss, exp, aud, sub, client_id, iat and jti."""
    scene = Scene(tmp_path, typ="at+jwt")
    token = scene.token(make_identity(claims={"azp": "app"}))
    header, claims = scene.read(token)
    assert (header["typ"], token.kind[-12:]) == ("at+jwt", "access_token")
    assert claims["client_id"] == "app"
    assert claims.keys() >= {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
    assert scene.claims()["client_id"] == ISSUER


def test_a_token_ends_with_the_identity(plain: Scene) -> None:
    token = plain.token(make_identity(expires=NOW + 10.9))
    assert plain.read(token)[1]["exp"] == int(NOW) + 10
    assert token.expires == int(NOW) + 10


def test_a_token_ends_with_the_session(plain: Scene) -> None:
    claims = plain.claims(make_identity(expires=NOW + 30), session=session(NOW + 20))
    assert claims["exp"] == int(NOW) + 20


def test_nobody_gets_a_token_that_is_over(plain: Scene) -> None:
    refused = plain.refusal(make_identity(expires=NOW + 0.5))
    assert (refused.reason, refused.status) == ("token-expired", 401)


def test_a_token_is_signed_once_and_given_until_a_quarter_is_left(
    plain: Scene,
) -> None:
    first = plain.token()
    assert first.expires == NOW + 45
    plain.clock.now += 44.9
    assert plain.token() is first
    plain.clock.now += 0.1
    second = plain.token()
    assert second.value != first.value
    assert plain.read(second)[1]["exp"] == int(NOW) + 45 + 60


@pytest.mark.parametrize(
    "other",
    [
        {"identity": make_identity(claims={"email": "b@example.com"})},
        {"user": "bob"},
        {"audience": STOCK},
        {"audience": attrs.evolve(ORDERS, thumbprint="another")},
    ],
    ids=str,
)
def test_a_token_is_kept_for_who_and_what_it_is_about(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    scene = Scene(tmp_path, claims=("email",))
    alice = make_identity(claims={"email": "a@example.com"})
    first = scene.token(alice)
    assert scene.token(**{"identity": alice, **other}).value != first.value
    assert scene.token(alice) is first


def test_a_kept_token_never_outlives_another_session(plain: Scene) -> None:
    plain.token()
    token = plain.token(session=session(NOW + 20))
    assert plain.read(token)[1]["exp"] == int(NOW) + 20


def test_what_is_kept_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sso_proxy.tokens.minted.MOST", 3)
    scene = Scene(tmp_path)
    tokens = [scene.token(user=f"user{n}") for n in range(4)]
    assert scene.token(user="user3") is tokens[3]
    assert scene.token(user="user0") is not tokens[0]


def test_what_is_over_is_not_kept(plain: Scene) -> None:
    for n in range(3):
        plain.token(user=f"user{n}")
    plain.clock.now += 61
    plain.token()
    assert len(plain.source._minted) == 1  # noqa: SLF001 - nobody else sees it


def test_a_token_is_not_too_large_for_a_header(tmp_path: Path) -> None:
    scene = Scene(tmp_path, claims=("groups",))
    groups = [f"group-{n}" for n in range(1000)]
    refused = scene.refusal(make_identity(claims={"groups": groups}))
    assert (refused.reason, refused.status) == ("token-large", 403)
    assert "group-1" not in refused.detail
    assert len(scene.token(make_identity(claims={"groups": groups[:100]})).value) < 6144


@pytest.mark.parametrize("value", [float("inf"), {1, 2}, b"octets"], ids=str)
def test_what_json_cannot_say_is_refused(tmp_path: Path, value: object) -> None:
    scene = Scene(tmp_path, claims=("email",))
    refused = scene.refusal(make_identity(claims={"email": value}))
    assert refused.reason == "token-claims"


def test_what_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    nested: dict[str, Any] = {}
    nested["sub"] = nested
    refused = Scene(tmp_path, act="keep").refusal(make_identity(claims={"act": nested}))
    assert refused.reason == "token-claims"


@pytest.mark.parametrize(
    "value", ["a\r\nX-Remote-User: admin", 'x","sub":"admin', "\ud800", "é😀\0"]
)
def test_no_claim_leaves_its_place(tmp_path: Path, value: str) -> None:
    """Neither the header field that the token stands in, nor its own JSON string."""
    scene = Scene(tmp_path, claims=("email",))
    token = scene.token(make_identity(claims={"email": value}))
    assert token.value.replace(".", "").replace("-", "").replace("_", "").isalnum()
    claims = scene.read(token)[1]
    assert (claims["email"], claims["sub"]) == (value, "alice")


def test_nothing_secret_is_shown(plain: Scene) -> None:
    token = plain.token()
    assert token.value not in repr(token)
    assert "PRIVATE" not in repr(vars(plain.source))


def test_mistakes_in_options_are_all_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Scene(tmp_path, KEY, OTHER_KEY, kid="k", subject="subject")
    assert {mistake.path for mistake in caught.value.mistakes} == {
        "kid",
        "subject_issuer",
    }


def test_a_key_that_cannot_be_read_is_named() -> None:
    config = JwtTokenConfig(issuer=ISSUER, keys=("/missing",))
    with pytest.raises(ConfigError, match=r"^keys\[0\]: cannot be read"):
        JwtSource.from_config(config, FakeTools())


def test_no_backend_refuses_a_token_while_the_key_is_changed(tmp_path: Path) -> None:
    """It has fetched the keys at the step before."""
    steps = [(KEY,), (KEY, OTHER_KEY), (OTHER_KEY, KEY), (OTHER_KEY,)]
    fetched = None
    signed_by = []
    for step in steps:
        scene = Scene(tmp_path, *step)
        jws = split_compact(scene.token().value)
        for document in filter(
            None, (fetched, jwks_document(scene.source.public_keys))
        ):
            check_signature(jws, read_jwks(document))
        fetched = jwks_document(scene.source.public_keys)
        signed_by.append(jws.header.kid)
    assert signed_by == [KEY.thumbprint()] * 2 + [OTHER_KEY.thumbprint()] * 2


def test_a_token_of_the_old_key_is_good_until_that_is_removed(tmp_path: Path) -> None:
    token = Scene(tmp_path, KEY, OTHER_KEY).token()
    assert Scene(tmp_path, OTHER_KEY, KEY).read(token)[1]["sub"] == "alice"
