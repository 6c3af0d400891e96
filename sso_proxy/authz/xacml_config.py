"""The options of ``type = "xacml"``."""

import re
from collections.abc import Iterator
from typing import Final, Literal

import attrs

from sso_proxy.authz.outgoing_values import check_value
from sso_proxy.authz.remote_policy_config import RemotePolicyConfig
from sso_proxy.config.checks import between, path_prefix
from sso_proxy.config.protocol_checks import secure_url
from sso_proxy.specs.xacml.names import (
    ACTION_ID,
    CATEGORIES,
    DATA_TYPES,
    RESOURCE_ID,
    SUBJECT_ID,
)

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-Z_a-z~\[\]]+")
_NAME = re.compile(r"[!#-;=?-Z_a-z~\[\]]{1,256}")


def _value(_instance: object, _attribute: object, value: str) -> None:
    check_value(value)


def _category(_instance: object, _attribute: object, value: str) -> None:
    if value not in CATEGORIES and not _URI.fullmatch(value):
        known = ", ".join(CATEGORIES)
        raise ValueError(f"{value!r} is no URI, and none of {known}")


def _identifier(_instance: object, _attribute: object, value: str) -> None:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no URI, such as {SUBJECT_ID}")


def _data_type(_instance: object, _attribute: object, value: str) -> None:
    if value and value not in DATA_TYPES and not _URI.fullmatch(value):
        known = ", ".join(DATA_TYPES)
        raise ValueError(f"{value!r} is no URI, and none of {known}")


@attrs.frozen(kw_only=True)
class AttributeConfig:
    """
    An attribute that the decision point is told.

    Attributes:
        category: What it is known of: ``subject``, ``resource``, ``action``,
            ``environment``, ``recipient-subject``, ``intermediary-subject``,
            ``codebase``, ``requesting-machine``, or a URI.
        id: Its identifier, usually a URI.
        value: Its value or values: an operand of conditions (``claims.department``,
            ``method``, ``path.id``); text in quotes, a whole number, ``true`` or
            ``false``; or ``url`` (without the query), ``scheme``, ``now``.
        data_type: ``string``, ``boolean``, ``integer``, ``double``, ``time``,
            ``date``, ``dateTime``, ``dayTimeDuration``, ``yearMonthDuration``,
            ``anyURI``, ``hexBinary``, ``base64Binary``, ``rfc822Name``, ``x500Name``,
            ``ipAddress``, ``dnsName``, or the URI of another one whose values are
            text.  Unset, that of the value: text, whole number, number or truth.
        issuer: Who says so; unset: nobody in particular.
        by_issuer: Whether the issuer of the identity says so.
        include_in_result: Whether the answer is to have it, too; if it does, with
            another value, it is no answer.
        required: Whether who has no value of this is denied, without asking.
        each: Whether there is one question for each of its values, all of them in one
            message; one attribute at most.
    """

    category: str = attrs.field(default="subject", validator=_category)
    id: str = attrs.field(validator=_identifier)
    value: str = attrs.field(validator=_value)
    data_type: str = attrs.field(default="", validator=_data_type)
    issuer: str = ""
    by_issuer: bool = False
    include_in_result: bool = False
    required: bool = False
    each: bool = False

    def __attrs_post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.issuer and self.by_issuer:
            raise ValueError("issuer and by_issuer cannot both be set")

    @property
    def key(self) -> tuple[str, str]:
        """What it is of, and its identifier."""
        return CATEGORIES.get(self.category, self.category), self.id


DEFAULTS: Final = (
    AttributeConfig(id=SUBJECT_ID, value="subject", by_issuer=True, required=True),
    AttributeConfig(
        category="resource",
        id=RESOURCE_ID,
        value="url",
        data_type="anyURI",
        required=True,
    ),
    AttributeConfig(category="action", id=ACTION_ID, value="method", required=True),
)
"""What is told unless the configuration says otherwise."""


@attrs.frozen(kw_only=True)
class XacmlConfig(RemotePolicyConfig):
    """
    A decision point that speaks XACML 3.0 over HTTP, in JSON.

    Attributes:
        url: Where it is asked: ``https``, or ``http`` at a loopback address.
        media_type: What questions are said to be: ``application/xacml+json``, of
            version 3.0, or ``application/json``, for servers that know nothing else.
        attribute: What it is told besides, or instead of, the defaults.
        defaults: Whether it is told ``subject-id`` (who calls, as the issuer of the
            identity says), ``resource-id`` (the URL without its query) and
            ``action-id`` (the method), unless *attribute* has these.
        path: A path template with named parts, for ``path.NAME`` in *attribute*.
        bias: ``deny``: a request passes if the decision is Permit, and all obligations
            can be carried out; or ``permit``: it passes unless the decision is Deny,
            with obligations that are all known here.
        combine: With several questions, whether ``all`` or ``any`` of the answers have
            to let the request pass.
        multiple: How several questions stand in one message: as ``references``
            (``MultiRequests``), or as repeated ``categories``, for servers that know
            only these.
        most: Questions in one message; who needs more is denied.
        policy_ids: Whether the answer is to name the policies that apply, for the log.
        log_advice: Whether advice goes to the log, by its identifier.
    """

    url: str = attrs.field(validator=secure_url)
    media_type: Literal["application/xacml+json", "application/json"] = (
        "application/xacml+json"
    )
    attribute: tuple[AttributeConfig, ...] = ()
    defaults: bool = True
    path: str = attrs.field(default="/", validator=path_prefix)
    bias: Literal["deny", "permit"] = "deny"
    combine: Literal["all", "any"] = "all"
    multiple: Literal["references", "categories"] = "references"
    most: int = attrs.field(default=100, validator=between(1, 1000))
    policy_ids: bool = False
    log_advice: bool = False

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        yield from self.server_problems(self.url)
        told = self.told
        if not told:
            yield "defaults = false needs attribute: nothing would be told"
        each = [one for one in told if one.each]
        if len(each) > 1:
            yield "each can be true of one attribute only"
        for one in each:
            if sum(other.key == one.key for other in told) > 1:
                yield f"{one.id} has each, and cannot be there twice"
        for option, usual in (("combine", "all"), ("multiple", "references")):
            if getattr(self, option) != usual and not each:
                yield f"{option} has no effect without an attribute with each"

    @property
    def told(self) -> tuple[AttributeConfig, ...]:
        """Give all that is told."""
        named = {one.key for one in self.attribute}
        defaults = DEFAULTS if self.defaults else ()
        kept = [one for one in defaults if one.key not in named]
        return (*kept, *self.attribute)
