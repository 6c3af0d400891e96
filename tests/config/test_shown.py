"""What operators see of the configuration."""

import contextlib
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.config.load import parse_config
from sso_proxy.config.model import ComponentConfig
from sso_proxy.config.secrets import Secret, is_secret
from sso_proxy.config.shown import LEFT_OUT, show_config
from sso_proxy.errors import ConfigError
from sso_proxy.registry import Registry

PLANTED = "planted-marker"
ROOT = Path(__file__).parent.parent.parent
CLASSES = [
    (f"{family}.{name}", config_class)
    for family, classes in Registry.load().config_classes(own=True).items()
    for name, config_class in classes.items()
]


@attrs.frozen(kw_only=True)
class Ours:
    """A table that we know."""

    value: Any


def planted(value: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401
    """Give values that have *value* somewhere in them."""
    names = st.sampled_from(["a", "key", "options", "x"])
    return st.recursive(
        st.just(value),
        lambda inner: (
            st.lists(inner, min_size=1, max_size=2)
            | st.tuples(inner)
            | st.dictionaries(names, inner, min_size=1, max_size=2)
            | inner.map(lambda each: ComponentConfig(type="t", options={"o": each}))
        ),
        max_leaves=4,
    )


@given(planted(Secret(PLANTED)) | planted(Ours(value={"x": [Secret(PLANTED)]})))
def test_no_secret_is_shown_wherever_it_stands(value: Any) -> None:  # noqa: ANN401
    """And the rest can be written as JSON."""
    shown = json.dumps(show_config(value))
    assert PLANTED not in shown
    assert LEFT_OUT in shown


@given(
    planted(f"redis://alice:{PLANTED}@cache.example:6379/1")
    | planted(f"-----BEGIN PRIVATE KEY-----\n{PLANTED}")
    | planted({"kty": "oct", "k": PLANTED})
    | planted({"kty": "RSA", "n": "n", "d": PLANTED, "oth": [PLANTED]})
    | planted({"client_secret": PLANTED, "api_key": PLANTED, "bind_password": PLANTED})
    | planted({"access_token": PLANTED, "sealing_keys": [PLANTED]})
    | planted({"clientKey": PLANTED, "API-Key": PLANTED, "psk": PLANTED})
    | planted({"passwords": {"alice": PLANTED}, "token": {"value": [PLANTED]}})
    | planted({"headers": {"X-Whatever": PLANTED}, "key": PLANTED})
    | planted(f"https://api.example/?access_token={PLANTED}&a=1")
    | planted(f"Server=db;Password={PLANTED};")
    | planted(f"Authorization: Bearer {PLANTED}")
    | planted(json.dumps({"kty": "oct", "k": PLANTED}))
    | planted(object())
)
def test_what_looks_like_a_secret_is_left_out(value: Any) -> None:  # noqa: ANN401
    """A plugin's options are not of our types, and are not read before."""
    assert PLANTED not in json.dumps(show_config(value))


def secrets_of(config_class: type) -> list[str]:
    """Give the names of secret options."""
    fields = attrs.fields(attrs.resolve_types(config_class))
    return [field.name for field in fields if is_secret(field.type)]


@pytest.mark.parametrize(
    ("name", "option"),
    [
        (name, option)
        for name, config_class in CLASSES
        for option in secrets_of(config_class)
    ],
)
def test_a_secret_that_was_read_is_never_in_it(name: str, option: str) -> None:
    """Also if somebody has written it where only its place may stand."""
    family, _, kind = name.partition(".")
    made = ComponentConfig(type=kind, options={option: PLANTED})
    assert PLANTED not in json.dumps(show_config({family: {"x": made}}))


def test_where_secrets_are_is_shown() -> None:
    made = ComponentConfig(
        type="oidc", options={"client_secret_file": "oidc.secret", "secret": "env:NAME"}
    )
    assert show_config(made) == {
        "type": "oidc",
        "client_secret_file": "oidc.secret",
        "secret": "env:NAME",
    }


def test_numbers_that_are_secrets_are_left_out() -> None:
    made = ComponentConfig(type="t", options={"pin": 4711, "secrets": True})
    assert show_config(made) == {"type": "t", "pin": LEFT_OUT, "secrets": True}


def test_files_of_keys_and_texts_for_people_are_shown() -> None:
    options = {
        "key": "tls/client.key",
        "headers": {"x-token": "env:TOKEN"},
        "title": "Basic things: token service",
        "public_keys": ["a"],
        "url": "https://api.example/@staff?a=1",
    }
    made = ComponentConfig(type="t", options=options)
    assert show_config(made) == {"type": "t", **options}


def test_what_is_no_secret_is_shown() -> None:
    """Names of tokens and references are none; examples have no secrets in them."""
    loaded = 0
    for example in sorted(ROOT.glob("etc/*.toml")):
        with contextlib.suppress(ConfigError):  # it needs what is not here
            config = parse_config(example.read_text(), example)
            shown = show_config(config)
            assert json.loads(json.dumps(shown)) == shown
            hosts = [route.host for route in config.route]
            assert [route["host"] for route in shown["route"]] == hosts
            assert LEFT_OUT not in json.dumps(shown)
            loaded += 1
    assert loaded > 10
