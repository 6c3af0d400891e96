"""Budgets of a request head."""

from sso_proxy.config.limits import LimitsConfig
from sso_proxy.specs.http.limits import HeadLimits


def test_the_defaults_are_those_of_the_configuration() -> None:
    limits, config = HeadLimits(), LimitsConfig()
    assert limits.request_line == config.request_line
    assert limits.header_bytes == config.header_bytes
    assert limits.headers == config.headers
