"""Options of a login server."""

import pytest

from sso_proxy.config.ticket_parts import RouteTicketConfig


def test_what_is_safe_is_there_without_being_said() -> None:
    ticket = RouteTicketConfig(domain="example.com", back=("*.example.com",))
    assert ticket.secure
    assert ticket.http_only
    assert ticket.same_site == "lax"
    assert ticket.back_argument == "back"


@pytest.mark.parametrize("back", [(), ("*",), ("https://a.example/x",), ("a b",)])
def test_sites_have_to_be_listed(back: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"write|must not be empty"):
        RouteTicketConfig(domain="example.com", back=back)
