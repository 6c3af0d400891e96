"""
Providers with an issuer for each of their tenants, such as Microsoft Entra.

Their metadata has a template in place of an issuer:
``https://login.microsoftonline.com/{tenantid}/v2.0``.  A token says in ``tid`` which
tenant it is from, and its ``iss`` is the template filled in with that.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from sso_proxy.errors import TokenError
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_issuer

PLACEHOLDER: Final = "{tenantid}"
"""What stands in a template for the tenant."""

ANY_TENANT: Final = "*"
"""Among the tenants that are allowed: whoever has an account with the provider."""

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def is_template(issuer: str) -> bool:
    """Say whether *issuer* stands for the issuers of many tenants."""
    return PLACEHOLDER in issuer


def fill_template(template: str, tenant: str) -> str:
    """Give the issuer of *tenant*."""
    return template.replace(PLACEHOLDER, tenant)


def check_template(issuer: str, tenants: Collection[str]) -> None:
    """
    Check what an operator writes about an issuer, or the issuers of tenants.

    Args:
        issuer: An issuer identifier or a template.
        tenants: Those that are allowed; `ANY_TENANT` has to be written.

    Raises:
        UrlRefusedError: It is no issuer identifier when filled in, the placeholder is
            not one whole segment of its path, or *tenants* do not go with it.
    """
    if not is_template(issuer):
        read_issuer(issuer)
        if tenants:
            raise UrlRefusedError(f"tenants need an issuer with {PLACEHOLDER}")
        return
    origin, _, path = issuer.partition("://")[2].partition("/")
    if PLACEHOLDER in origin or path.split("/").count(PLACEHOLDER) != 1:
        raise UrlRefusedError(f"{PLACEHOLDER} must be one segment of the path")
    read_issuer(fill_template(issuer, "tenant"))
    if not tenants:
        raise UrlRefusedError(
            f"an issuer with {PLACEHOLDER} needs the tenants that are allowed,"
            f' or "{ANY_TENANT}" for everybody with an account there'
        )
    for tenant in tenants:
        if tenant != ANY_TENANT and _TENANT.fullmatch(tenant) is None:
            raise UrlRefusedError("a tenant is letters, digits and hyphens")


def is_issuer(name: str, issuer: str, tenants: Collection[str] = ()) -> bool:
    """
    Say whether *name* is *issuer*, or of a tenant that is allowed if it is a template.

    Args:
        name: What somebody says.
        issuer: An issuer identifier or a template.
        tenants: Those that are allowed, if it is a template.
    """
    if not is_template(issuer):
        return name == issuer
    before, _, after = issuer.partition(PLACEHOLDER)
    if not (name.startswith(before) and name.endswith(after)):
        return False
    tenant = name[len(before) : len(name) - len(after)]
    allowed = tenant in tenants or ANY_TENANT in tenants
    return allowed and _TENANT.fullmatch(tenant) is not None


def check_issuer(
    claims: Mapping[str, Any], issuer: str, tenants: Collection[str] = ()
) -> str:
    """
    Check that *claims* are of *issuer*, and give it, filled in if it is a template.

    Issuers are compared octet by octet (OpenID Connect Core 3.1.3.7 point 2).

    Args:
        claims: Claims of a token.
        issuer: An issuer identifier or a template.
        tenants: Those that are allowed, if it is a template.

    Raises:
        TokenError: They are somebody else's, nobody's, or a tenant's that is not
            allowed.
    """
    if is_template(issuer):
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or _TENANT.fullmatch(tenant) is None:
            raise TokenError("tid names no tenant", reason="token-tenant")
        if tenant not in tenants and ANY_TENANT not in tenants:
            raise TokenError("the tenant is not allowed", reason="token-tenant")
        issuer = fill_template(issuer, tenant)
    if claims.get("iss") != issuer:
        raise TokenError("iss is another", reason="token-issuer")
    return issuer


def group_overage(claims: Mapping[str, Any]) -> str | None:
    """
    Say, for the log, that a provider left the groups of a user out of a token.

    Entra does when there are more than 200 (six in an answer in the front channel),
    and refers to an interface of its own; rules about groups then find none.  None if
    nothing says so.
    """
    if "groups" in claims:
        return None
    names = claims.get("_claim_names")
    if isinstance(names, dict) and "groups" in names:
        return "the provider refers to groups elsewhere (_claim_names): too many"
    if claims.get("hasgroups") in (True, "true"):
        return "the provider says only that there are groups (hasgroups): too many"
    return None
