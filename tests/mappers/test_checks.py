"""Tests for `sso_proxy.mappers.checks`."""

import attrs
import pytest

from sso_proxy.mappers.checks import claim_path, user_name, user_names


@attrs.frozen(kw_only=True)
class Options:
    claim: str = attrs.field(default="a", validator=claim_path)
    user: str | None = attrs.field(default=None, validator=user_name)
    users: dict[str, str] = attrs.field(factory=dict, validator=user_names)


def test_good_options_pass() -> None:
    Options(claim="a.'b c'", user="alice", users={"any\nthing": "bob"})
    Options(user=None)


def test_bad_options_are_refused() -> None:
    with pytest.raises(ValueError, match="name of a claim"):
        Options(claim="")
    with pytest.raises(ValueError, match=r"'a\.b ' is no user name"):
        Options(user="a.b ")
    with pytest.raises(ValueError, match="is no user name"):
        Options(users={"alice": "a", "bob": ""})
