"""The options of ``type = "authzen"``."""

import re
from collections.abc import Iterator, Mapping

import attrs

from sso_proxy.authz.outgoing_values import check_value
from sso_proxy.authz.remote_policy_config import RemotePolicyConfig
from sso_proxy.config.checks import path_prefix
from sso_proxy.config.protocol_checks import secure_url
from sso_proxy.specs.authzen.metadata import metadata_url
from sso_proxy.specs.oauth.urls import UrlRefusedError

_PLACE = re.compile(
    r"(?:subject|resource)\.(?:type|id|properties\.\S+)"
    r"|action\.(?:name|properties\.\S+)|context\.\S+"
)


def _places(_instance: object, _attribute: object, value: Mapping[str, str]) -> None:
    for place, text in value.items():
        if not _PLACE.fullmatch(place):
            raise ValueError(
                f"{place!r} is no place in a request, such as subject.id,"
                " resource.properties.NAME or context.NAME"
            )
        if place.count(".") > 1 and not text:
            continue  # a usual one that is not sent
        try:
            check_value(text)
        except ValueError as e:
            raise ValueError(f"{place}: {e}") from None


@attrs.frozen(kw_only=True)
class AuthzenConfig(RemotePolicyConfig):
    """
    A decision point that speaks AuthZEN (Authorization API 1.0).

    What is asked is what API gateways ask: whether the *subject* may use this *method*
    on this *route*.

    Attributes:
        url: The decision point: https, or http to a loopback address.  Its metadata
            says where it takes questions.
        endpoint: Where it takes questions, if its metadata need not be asked.
        paths: Templates of paths, ``/todos/{id}``: a request's resource is the one
            that fits all of its path, and else the path itself.
        attributes: What is sent besides or instead: places in the request
            (``subject.id``, ``subject.properties.NAME``, ``action.name``,
            ``resource.id``, ``context.NAME``, …), and a value for each, as conditions
            name them (``claims.email``, ``certificate.subject``), ``url``, ``scheme``,
            ``now``, or text in quotes.  An empty value leaves out what is usual.
        announce_obligations: Whether requests say which types of obligations we
            understand.
        acr_for_amr: For decision points that name methods of authentication: the
            authentication contexts to ask for instead, the best first, by method.
    """

    url: str | None = attrs.field(default=None, validator=secure_url)
    endpoint: str | None = attrs.field(default=None, validator=secure_url)
    paths: tuple[str, ...] = attrs.field(
        default=(),
        validator=attrs.validators.deep_iterable(member_validator=path_prefix),
    )
    attributes: Mapping[str, str] = attrs.field(factory=dict, validator=_places)
    announce_obligations: bool = False
    acr_for_amr: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        yield from self.server_problems(self.endpoint or self.url)
        if (self.url is None) == (self.endpoint is None):
            yield "either url or endpoint says where the decision point is"
        if self.url is not None:
            try:
                metadata_url(self.url)
            except UrlRefusedError as e:
                yield f"url {e.detail}"
