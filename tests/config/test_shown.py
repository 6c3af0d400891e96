"""What operators see of the configuration."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.config.load import load_config, parse_config
from sso_proxy.config.model import ComponentConfig, Config
from sso_proxy.config.operator_parts import TracesConfig
from sso_proxy.config.secrets import Secret, is_secret
from sso_proxy.config.shown import LEFT_OUT, show_component, show_config, show_value
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.registry import FAMILIES, Registry
from tests.support.programs import RealProxy

PLANTED = "planted-marker"
ROOT = Path(__file__).parent.parent.parent
REGISTRY = Registry.load()
OWN = {
    (family, name): config_class
    for family, classes in REGISTRY.config_classes(own=True).items()
    for name, config_class in classes.items()
}
MAPPER = "tests.support.keeping_mapper:KeepingMapper"
TEXT = f"""
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true

[mapper.theirs]
type = "{MAPPER}"
fast = true
header = "{PLANTED}"
pin = 47110815
tokens = ["{PLANTED}", "{PLANTED}"]
people = {{ alice = "{PLANTED}", {PLANTED} = "bob" }}
anything = [{{ key = [["{PLANTED}"]], n = [47110815] }}]
service = {{ url = "https://u:{PLANTED}/@h/{PLANTED}?{PLANTED}", header = "{PLANTED}" }}
services = [{{ url = "//{PLANTED}@h" }}]
password = "env:HOME"

[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
map_user = ["theirs"]
backend = "http://127.0.0.1:9"
"""
MEANT_AS_URLS = (
    f"redis://alice:{PLANTED}@cache.example:6379/1",
    f"https://alice:p/{PLANTED}@api.example/",
    f"https://alice:p?#{PLANTED} {PLANTED}@api.example/",
    f"https://{PLANTED}/@api.example",
    f"https:/alice:{PLANTED}@api.example",
    f"https:{PLANTED}@api.example",
    f"alice:{PLANTED}@api.example:80",
    f"alice:a {PLANTED}@b://api.example",
    f"https://api.example/?access_token={PLANTED}&a=1",
    f"https://api.example/?{PLANTED}",
    f"https://api.example/#{PLANTED}",
    f"/login?a=1&token={PLANTED}",
    f"-----BEGIN PRIVATE KEY-----\n{PLANTED}",
    json.dumps({"kty": "oct", "k": PLANTED}),
)


def show(family: str, component: ComponentConfig) -> str:
    return json.dumps(show_component(component, FAMILIES[family], REGISTRY))


def anything(text: str) -> st.SearchStrategy[Any]:
    """Give values as TOML has them, with *text* somewhere in them."""
    return st.recursive(
        st.sampled_from([text, 47110815, 4711.0815, {text: True}]),
        lambda inner: (
            st.lists(inner, min_size=1, max_size=2)
            | st.dictionaries(st.sampled_from("abc"), inner, min_size=1)
        ),
        max_leaves=4,
    )


@given(
    st.sampled_from(sorted(FAMILIES)),
    st.sampled_from(["header", "auth", "url", "client_secret_file", "names"]),
    anything(PLANTED) | st.sampled_from(MEANT_AS_URLS),
)
def test_of_what_others_made_only_names_are_shown(
    family: str, option: str, value: object
) -> None:
    """Its author may keep a password anywhere; env: may be how it begins."""
    made = ComponentConfig(type="their:Class", options={option: value, "fast": True})
    told = show(family, made)
    assert PLANTED not in told
    assert "4711" not in told
    assert PLANTED not in repr(made)
    assert option in told
    assert '"fast": true' in told


def test_how_much_is_set_is_shown() -> None:
    options = {"a": [1, 2], "b": {"c": {}}, "d": "env:HOME", "e": 1, "f": False}
    made = ComponentConfig(type="their:Class", options=options)
    assert show_component(made, "IUserMapper", REGISTRY) == {
        "type": "their:Class",
        "a": "(list of 2, not shown)",
        "b": "(table of 1, not shown)",
        "d": LEFT_OUT,
        "e": LEFT_OUT,
        "f": False,
    }


def test_nobody_is_believed_to_be_of_ours_while_announcements_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise ConfigError(Mistake("mine.py", "cannot be imported"))

    made = ComponentConfig(type="static", options={"default": PLANTED})
    config = attrs.evolve(example("ldap.toml"), mapper={"m": made})
    assert PLANTED in json.dumps(show_config(config))
    monkeypatch.setattr(Registry, "load", refuse)
    assert PLANTED not in json.dumps(show_config(config))


def test_the_operators_listener_tells_nothing_that_a_plugin_keeps(
    tmp_path: Path,
) -> None:
    """Nor does the log of its start, nor what is seen of the configuration else."""
    with RealProxy(tmp_path, TEXT) as proxy:
        proxy.serve()
        status, told = proxy.ask_admin("/configuration")
        log = proxy.log()
        config = load_config(proxy.config)
    assert status == 200
    theirs = json.loads(told)["mapper"]["theirs"]
    assert theirs["type"] == MAPPER
    assert theirs["tokens"] == "(list of 2, not shown)"
    assert theirs["fast"] is True
    for text in (told, log, repr(config)):
        assert PLANTED not in text
        assert "47110815" not in text


def kinds_in(kind: Any) -> Iterator[Any]:  # noqa: ANN401
    """Give *kind* and what it is made of."""
    yield kind
    if get_origin(kind) not in {Annotated, Literal}:
        for part in get_args(kind):
            yield from kinds_in(part)


def classes_in(config_class: type) -> Iterator[type]:
    """Give a config class and those of its options."""
    yield config_class
    for field in attrs.fields(attrs.resolve_types(config_class)):
        for kind in kinds_in(field.type):
            if attrs.has(kind) and kind not in {Secret, ComponentConfig}:
                yield from classes_in(kind)


OURS = {each for one in (Config, *OWN.values()) for each in classes_in(one)}
OPTIONS = [
    (each, field)
    for each in sorted(OURS, key=lambda each: f"{each.__module__}.{each.__name__}")
    for field in attrs.fields(each)
]

SUSPECT = re.compile(
    r"secret|passw|passphrase|(^|_)(pwd|pw|pin|psk|dsn|auth|bearer|token|assertion)$"
    r"|credential(s$|_)|private|hmac|salt|seed|api_?key|(^|_)keys?$|authorization$"
    r"|headers$|webhook|connection_string|signature|nonce|cookies?_value|(^|_)jwks?$"
)
NO_SECRETS = {
    "Config.token",  # tables of their own
    "BearerConfig.jwk",  # not shown
    "AwsAlbConfig.keys",  # a URL's beginning
    "TableConfig.key",  # a column's name
    "CorsConfig.headers",  # fields' names
    "PubtktConfig.headers",
    "ServerConfig.managed_headers",
    "AuthzenConfig.headers",
    "XacmlConfig.headers",
}


def test_every_option_of_ours_that_is_called_like_a_secret_is_one() -> None:
    """Whoever adds one makes it a `Secret`, or says here what it is instead."""
    found = {
        f"{each.__name__}.{field.name}"
        for each, field in OPTIONS
        if SUSPECT.search(field.name) and {str, Any} & set(kinds_in(field.type))
    }
    assert found - NO_SECRETS == set()
    assert NO_SECRETS - found == set()


def written(kind: Any, text: str) -> Any:  # noqa: ANN401
    """Give an option of *kind* with *text* in it, as a file has it."""
    if get_origin(kind) is Annotated:
        return written(get_args(kind)[0], text)
    if get_origin(kind) in {Union, UnionType}:
        kind = next(each for each in get_args(kind) if each is not NoneType)
        return written(kind, text)
    if get_origin(kind) is tuple:
        return [written(get_args(kind)[0], text)]
    if isinstance(origin := get_origin(kind), type) and issubclass(origin, Mapping):
        return {"a": written(get_args(kind)[1], text)}
    if attrs.has(kind) and kind is not Secret:
        fields = attrs.fields(attrs.resolve_types(kind))
        return {field.name: written(field.type, text) for field in fields}
    return text if kind in {str, Any, Secret} or get_origin(kind) is Literal else 1


def test_no_option_of_ours_shows_what_a_url_or_key_has_in_it() -> None:
    for (family, name), config_class in OWN.items():
        for text in MEANT_AS_URLS:
            made = ComponentConfig(type=name, options=written(config_class, text))
            assert PLANTED not in show(family, made), (family, name, text)
    for field in attrs.fields(Config):
        if field.name not in FAMILIES:
            for text in MEANT_AS_URLS:
                told = show_value(written(field.type, text), field.type)
                assert PLANTED not in json.dumps(told), (field.name, text)


@pytest.mark.parametrize("text", [MEANT_AS_URLS[0], MEANT_AS_URLS[1], "a:{0}@h:80"])
def test_no_mistake_tells_the_password_in_a_url(text: str, tmp_path: Path) -> None:
    """Mistakes are written to the log."""
    told = []
    for each, field in OPTIONS:
        if str in kinds_in(field.type):
            option = written(field.type, text.format(PLANTED))
            try:
                structure({field.name: option}, each, path="x", directory=tmp_path)
            except ConfigError as e:
                told += [mistake.problem for mistake in e.mistakes]
    assert sum("…@" in problem for problem in told) > 10
    assert [problem for problem in told if PLANTED in problem] == []


def is_free(kind: Any) -> bool:  # noqa: ANN401
    """Say whether an option is a table whose names and values are the operator's."""
    return get_args(kind) in {(str, str), (str, Any)}


def test_of_ours_secrets_and_free_values_are_left_out_and_no_more() -> None:
    """Whose values are classes is of no interest here: each is in the list itself."""
    for each, field in OPTIONS:
        kinds = list(kinds_in(field.type))
        texts = {str, Any, Secret} & set(kinds)
        if not texts or any(attrs.has(kind) for kind in {*kinds} - {Secret}):
            continue
        told = show_value({field.name: written(field.type, PLANTED)}, each)
        marked = field.metadata.get("shown", True) is False
        hidden = is_secret(field.type) or marked or any(map(is_free, kinds))
        assert (PLANTED not in json.dumps(told)) == hidden, f"{each}: {field.name}"


def test_secrets_that_were_read_are_not_shown() -> None:
    traces = TracesConfig(authorization=Secret(PLANTED))
    told = show_value(traces, TracesConfig)
    assert told["authorization"] == LEFT_OUT
    assert told["service"] == "sso-proxy"
    assert PLANTED not in json.dumps(told)


def test_where_secrets_are_is_shown() -> None:
    options = {"client_secret_file": "oidc.secret", "client_secret_next": "env:NAME"}
    made = ComponentConfig(type="oidc", options=options)
    assert show_component(made, "IAuthenticator", REGISTRY) == {
        "type": "oidc",
        **options,
    }


def test_what_is_no_secret_is_shown() -> None:
    options = {
        "issuer": "https://op.example/tenant@1",
        "scope": ["openid", "email"],
        "signing_keys": ["keys/client.key"],
        "params": {"hd": PLANTED},
        "timeout": 2.5,
    }
    made = ComponentConfig(type="oidc", options=options)
    told = show_component(made, "IAuthenticator", REGISTRY)
    assert told == {
        "type": "oidc",
        **options,
        "issuer": f"https://{LEFT_OUT}@1",
        "params": {"hd": LEFT_OUT},
    }


def example(name: str) -> Config:
    file = ROOT / "etc" / name
    return parse_config(file.read_text(), file)


def test_examples_are_shown_but_for_free_values_and_queries() -> None:
    loaded = 0
    for file in sorted(ROOT.glob("etc/*.toml")):
        with contextlib.suppress(ConfigError):  # it needs what is not here
            config = example(file.name)
            told = show_config(config)
            assert json.loads(json.dumps(told)) == told
            hosts = [route.host for route in config.route]
            assert [route["host"] for route in told["route"]] == hosts
            left_out = re.findall(r'"(\w+)": "[^"]*\(not', json.dumps(told))
            free = {"timeout_url", "unauth_url", "tokens", "udata", "email", "name"}
            assert {*left_out} <= free, file
            loaded += 1
    assert loaded > 10
