"""The JSON Schema says what the configuration file may say."""

import tomllib
from collections.abc import Mapping
from typing import Any, Literal

import attrs
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from sso_proxy.config.checks import non_empty, positive
from sso_proxy.config.model import FilePath
from sso_proxy.config.schema import build_schema
from sso_proxy.config.secrets import Secret
from sso_proxy.registry import Registry


@attrs.frozen(kw_only=True)
class Deep:
    """A table within."""

    again: "Deep | None" = None


@attrs.frozen(kw_only=True)
class Options:
    """
    A component of every type.

    Attributes:
        words: Some words.
    """

    words: tuple[str, ...] = attrs.field(validator=non_empty)
    secret: Secret
    maybe: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(positive)
    )
    either: str | tuple[str, ...] = ("a",)
    file: FilePath | None = None
    by_name: Mapping[str, int] = attrs.field(factory=dict)
    level: Literal["low", "high"] = "low"
    anything: Any = None
    deep: Deep | None = None


FILE = """
[server]
workers = 2
[[listener]]
address = "::1"
port = 8443
[[route]]
host = "*"
authenticate = ["a"]
backend = "http://b"
[authenticator.a]
"""
GOOD = FILE + 'type = "sample"\nwords = ["x"]\nsecret = "env:S"'


BOUND = """
[[listener]]
address = "::"
[[route]]
host = "a.example"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
binding = { dpop = "require" }
[binding.dpop]
max_age = 5
"""


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return build_schema({"authenticator": {"sample": Options}})


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    return build_schema(Registry.load().config_classes())


def validate(schema: dict[str, Any], text: str) -> None:
    Draft202012Validator(schema).validate(tomllib.loads(text))


def test_schema_is_one(schema: dict[str, Any], real: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    Draft202012Validator.check_schema(real)


def test_good_file_is_valid(schema: dict[str, Any]) -> None:
    validate(schema, GOOD)


def test_component_may_be_named_by_its_class(schema: dict[str, Any]) -> None:
    validate(schema, FILE + 'type = "acme.sso:Thing"\nwhatever = 1')


def test_secret_may_stand_in_a_file(schema: dict[str, Any]) -> None:
    validate(schema, GOOD.replace('secret = "env:S"', 'secret_file = "s"'))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("workers = 2", "workers = 0"),
        ("workers = 2", 'workers = "2"'),
        ("workers = 2", "wrokers = 2"),
        ('host = "*"', ""),
        ('authenticate = ["a"]', "authenticate = []"),
        ('type = "sample"', 'type = "other"'),
        ('type = "sample"', ""),
        ('words = ["x"]', "words = []"),
        ('secret = "env:S"', 'secret = "hush"'),
        ('words = ["x"]', 'words = ["x"]\nmaybe = 0'),
        ('words = ["x"]', 'words = ["x"]\nlevel = "mid"'),
        ('words = ["x"]', 'words = ["x"]\nby_name = { a = "b" }'),
        ('words = ["x"]', 'words = ["x"]\ndeep = { again = { again = 1 } }'),
        ('words = ["x"]', 'words = ["x"]\neither = 1'),
    ],
)
def test_spoilt_file_is_not_valid(schema: dict[str, Any], old: str, new: str) -> None:
    assert old in GOOD
    with pytest.raises(ValidationError):
        validate(schema, GOOD.replace(old, new))


def test_a_binding_needs_no_type(real: dict[str, Any]) -> None:
    validate(real, BOUND)
    validate(real, BOUND.replace("[binding.dpop]", '[binding.dpop]\ntype = "dpop"'))
    for bad in ("max_age = 0", 'type = "certificate"', "max_ages = 5"):
        with pytest.raises(ValidationError):
            validate(real, BOUND.replace("max_age = 5", bad))


def test_options_come_with_sentence_default_and_bounds(schema: dict[str, Any]) -> None:
    server = schema["$defs"]["sso_proxy.config.model.ServerConfig"]
    assert server["properties"]["workers"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 128,
        "default": 1,
        "description": "Processes that serve; 1 serves in the main process.",
    }


def test_type_that_no_file_can_say_is_an_error() -> None:
    @attrs.frozen
    class Odd:
        thing: bytes

    with pytest.raises(TypeError, match="bytes"):
        build_schema({"mapper": {"odd": Odd}})
