"""Policies that a decision point decides that speaks XACML (REST Profile 1.1)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, cast

import attrs

from sso_proxy.authz.facts import Context, Getter
from sso_proxy.authz.outgoing_values import is_changing, make_value
from sso_proxy.authz.remote_policy import (
    Answer,
    PolicyAnswerError,
    Question,
    RemotePolicy,
    UnfitError,
)
from sso_proxy.authz.xacml_config import AttributeConfig, XacmlConfig
from sso_proxy.authz.xacml_outcome import Weighing
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ITools
from sso_proxy.model import Identity, Request
from sso_proxy.net.http_client import HttpReply
from sso_proxy.specs.xacml import values
from sso_proxy.specs.xacml.matching import match_results
from sso_proxy.specs.xacml.names import MEDIA_TYPE
from sso_proxy.specs.xacml.request import Attribute, build_request
from sso_proxy.specs.xacml.response import (
    ResponseError,
    Result,
    Verdict,
    read_response,
)

MAX_ANSWER: Final = 2**20
"""Octets of an answer, which may have a thousand results."""

_SHOWN: Final = 20
"""Names that one line of the log has."""


@attrs.frozen(kw_only=True)
class XacmlQuestion(Question):
    """
    What is asked, to compare the answer with.

    Attributes:
        attributes: What all questions in it have.
        each: The attribute with one value for each of them; None if there is one.
    """

    attributes: tuple[Attribute, ...] = attrs.field(repr=False)
    each: Attribute | None = attrs.field(repr=False)


class _Told:
    """
    An attribute that is told.

    Args:
        config: It.
        context: What its value may name.

    Raises:
        ValueError: It names something else.
    """

    def __init__(self, config: AttributeConfig, context: Context) -> None:
        self._get: Getter = make_value(config.value, context)
        self._config = config
        self._category, self._id = config.key
        self.each = config.each
        self.changes = is_changing(config.value)

    def read(self, identity: Identity, request: Request) -> Attribute | None:
        """
        Give it with its values, or None if it has none.

        Raises:
            UnfitError: They cannot be told, or it has to have one.
        """
        config = self._config
        try:
            bag = values.read_bag(self._get(identity, request), config.data_type)
        except values.UnfitError as e:
            raise UnfitError(f"{self._id}: {e.detail}") from None
        if not bag.values:
            if config.required or config.each:
                raise UnfitError(f"{self._id}: there is no value")
            return None
        return Attribute(
            category=self._category,
            id=self._id,
            bag=bag,
            issuer=identity.issuer if config.by_issuer else config.issuer,
            included=config.include_in_result or config.each,
        )


class XacmlPolicy(RemotePolicy):
    """
    Asks a decision point in JSON (XACML 3.0 JSON Profile 1.1).

    Who cannot be asked about, because something has no value that could be told, is
    denied here.

    Args:
        config: The options.
        tools: What may be used.

    Raises:
        ConfigError: A file or a value cannot be used.
    """

    config_class: ClassVar = XacmlConfig
    max_answer: ClassVar = MAX_ANSWER
    config: XacmlConfig

    def __init__(self, config: XacmlConfig, tools: ITools) -> None:
        super().__init__(config, tools)
        self._told = _compile(config)
        self._weighing = Weighing(
            bias=config.bias, combine=config.combine, obligations=self.obligations
        )
        kind = config.media_type
        self._kind = f"{kind}; version=3.0" if kind == MEDIA_TYPE else kind

    def build(self, identity: Identity, request: Request) -> XacmlQuestion:
        """
        Say what is asked about *request*.

        Raises:
            UnfitError: Something cannot be told.
        """
        shared: list[Attribute] = []
        steady: list[Attribute] = []
        each: Attribute | None = None
        for told in self._told:
            attribute = told.read(identity, request)
            if attribute is None:
                continue
            if told.each:
                each = self._checked(attribute)
                continue
            shared.append(attribute)
            if not told.changes:
                steady.append(attribute)
        question = self._question(shared, each)
        if len(steady) == len(shared):
            return question
        return attrs.evolve(question, key=self._question(steady, each).key)

    def read(self, question: Question, reply: HttpReply) -> Answer:
        """
        Read an answer, whose status is 200.

        Raises:
            PolicyAnswerError: It is none.
        """
        asked = cast("XacmlQuestion", question)
        try:
            results = match_results(
                read_response(reply.media_type, reply.body),
                asked.attributes,
                asked.each,
            )
        except ResponseError as e:
            raise PolicyAnswerError(e.detail) from None
        return Answer(
            self._weighing.weigh(results),
            keep=all(one.verdict is not Verdict.INDETERMINATE for one in results),
            why=tuple(line for one in results for line in self._notes(one))[:_SHOWN],
        )

    def _checked(self, each: Attribute) -> Attribute:
        """Give an attribute each of whose values is asked about, and each once."""
        once = tuple(dict.fromkeys(each.bag.values))
        if len(once) > self.config.most:
            raise UnfitError(f"{each.id}: {len(once)} values are too many")
        return attrs.evolve(each, bag=attrs.evolve(each.bag, values=once))

    def _question(
        self, attributes: Sequence[Attribute], each: Attribute | None
    ) -> XacmlQuestion:
        return XacmlQuestion(
            url=self.config.url,
            body=build_request(
                attributes,
                each,
                references=self.config.multiple == "references",
                policy_ids=self.config.policy_ids,
            ),
            content_type=self._kind,
            accept=self._kind,
            attributes=tuple(attributes),
            each=each,
        )

    def _notes(self, result: Result) -> Iterator[str]:
        """Say what is said besides the decision, as far as anybody wants to know."""
        verdict = result.verdict
        if self.config.policy_ids and result.policies:
            yield f"{verdict.value} by policies {_shown(result.policies)}"
        if self.config.log_advice and result.advice:
            yield f"advice {_shown([one.id for one in result.advice])}"
        if verdict is Verdict.INDETERMINATE:
            yield f"Indeterminate {_shown([*result.status, result.message])}".rstrip()


def _shown(names: Sequence[str]) -> str:
    """Give what others have written as text of one line."""
    return ", ".join(ascii(name[:200]) for name in names[:_SHOWN] if name)


def _compile(config: XacmlConfig) -> tuple[_Told, ...]:
    """
    Compile all attributes.

    Raises:
        ConfigError: With every one that names what is not there.
    """
    context = Context(template=config.path)
    told: list[_Told] = []
    mistakes: list[Mistake] = []
    for number, attribute in enumerate(config.told):
        try:
            told.append(_Told(attribute, context))
        except ValueError as e:
            at = number - len(config.told) + len(config.attribute)
            mistakes.append(Mistake(f"attribute[{at}].value", str(e)))
    if mistakes:
        raise ConfigError(*mistakes)
    return tuple(told)
