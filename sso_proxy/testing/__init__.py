"""The public test kit: checks that a component does what its interface says."""

from sso_proxy.testing.cache_checks import check_cache
from sso_proxy.testing.checks import (
    check_authenticator,
    check_binding,
    check_policy,
    check_user_mapper,
)
from sso_proxy.testing.contract import ContractError, outcome_of

__all__ = (
    "ContractError",
    "check_authenticator",
    "check_binding",
    "check_cache",
    "check_policy",
    "check_user_mapper",
    "outcome_of",
)
