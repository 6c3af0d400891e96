"""Options of every kind of ticket."""

from typing import Any

import pytest

from sso_proxy.tokens.auth_tkt_config import AuthTktTokenConfig
from sso_proxy.tokens.pubtkt_config import PubtktTokenConfig
from sso_proxy.tokens.ticket_config import TicketConfig


@pytest.mark.parametrize("token", ["a,b", "a;b", "", " a", "a!b", "a\n"])
def test_what_would_be_several_tokens_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="is no token"):
        TicketConfig(tokens_always=(token,))
    with pytest.raises(ValueError, match="is no token"):
        TicketConfig(tokens=("g",), token_table={"x": (token,)})


@pytest.mark.parametrize("option", ["uid", "udata"])
def test_what_is_no_claim_is_refused(option: str) -> None:
    given: dict[str, Any] = {option: ""}
    TicketConfig(**given)
    with pytest.raises(ValueError, match="claim"):
        TicketConfig(**given | {option: "a..b"})


def test_a_table_without_claims_to_look_up_is_named() -> None:
    (found,) = TicketConfig(token_table={"a": ("b",)}).problems()
    assert found[0] == "token_table"


def test_each_kind_has_them_all() -> None:
    for kind in (AuthTktTokenConfig, PubtktTokenConfig):
        assert issubclass(kind, TicketConfig)
