"""A request's whole way, as `sso_proxy.pipeline` goes it, with nobody waiting."""

from typing import Any, Final

import attrs

from sso_proxy.authz.obligations import OURS, Obligations
from sso_proxy.authz.possible import Outcome
from sso_proxy.callers import name_user, wanted_bindings
from sso_proxy.config.model import Config
from sso_proxy.equipment import Equipment
from sso_proxy.explain.arriving import Arrival, arrive
from sso_proxy.explain.judging import (
    Finding,
    WaitsError,
    at_once,
    judge_conditions,
    judge_login,
    judge_policies,
    judge_shadows,
)
from sso_proxy.explain.report import Explanation, Step, Verdict
from sso_proxy.explain.situation import Situation
from sso_proxy.model import (
    ANONYMOUS,
    Decision,
    Effect,
    Identity,
    Request,
    Response,
    Unbound,
)
from sso_proxy.outgoing import build_identity, without_credentials
from sso_proxy.parts import Parts
from sso_proxy.routing import Route

_WHO: Final = frozenset({"claims", "subject", "issuer"})
"""What mappers go by."""


async def explain(
    config: Config, parts: Parts, situation: Situation, *, ask: bool = False
) -> Explanation:
    """
    Explain what becomes of a request.

    Args:
        config: The configuration.
        parts: What was built of it.
        situation: The request.
        ask: Whether decision points elsewhere are asked; that takes a reactor.

    Raises:
        ConfigError: The URL is none.
    """
    arrival = arrive(config, parts, situation)
    if arrival.refused is not None or arrival.request is None:
        return _ended(situation, arrival)
    return await _Walk(config, arrival, situation, ask=ask).run()


def _ended(situation: Situation, arrival: Arrival) -> Explanation:
    answer = arrival.refused or Response(status=0, reason="")
    ours = 200 <= answer.status < 300
    return Explanation(
        request=f"{situation.method} {situation.url}",
        verdict="permit" if ours else "deny",
        status=answer.status,
        reason=answer.reason,
        route=f"route[{arrival.number}]" if arrival.number >= 0 else "",
        steps=arrival.steps,
    )


class _Walk:
    """One request with a route, phases 4 to 9."""

    def __init__(
        self, config: Config, arrival: Arrival, situation: Situation, *, ask: bool
    ) -> None:
        assert arrival.route is not None  # noqa: S101
        assert arrival.request is not None  # noqa: S101
        self._config = config.route[arrival.number]
        self._number = arrival.number
        self._situation = situation
        self._ask = ask
        self._route: Route = arrival.route
        self._request: Request = without_credentials(arrival.request, arrival.route)
        self._identity: Identity = situation.who.identity
        self._missing = arrival.missing | situation.who.missing
        self._steps = list(arrival.steps)
        self._findings: list[Finding] = []
        self._user = ""
        self._headers: list[tuple[str, str]] = []

    async def run(self) -> Explanation:
        """Go all the way."""
        refused = self._authenticate()
        if refused is None:
            self._bind()
            self._map()
            await self._authorise()
            await self._equip()
        return self._explanation(refused)

    def _authenticate(self) -> Response | None:
        """Phase 4: who is asked, and who is taken to have answered."""
        names = self._config.authenticate
        who = self._situation.who
        step = Step(phase="authenticate", text=f"asks {', '.join(names)}")
        if who.is_nobody and "anonymous" not in names:
            text = f"{step.text}; no credential: a login, or 401"
            self._steps.append(
                attrs.evolve(step, text=text, outcome="miss", decides=True)
            )
            return Response(status=401, reason="no-credential")
        self._missing -= {"authenticator"} if len(names) == 1 else frozenset()
        anonymous = who.is_nobody or tuple(names) == ("anonymous",)
        if anonymous:
            self._identity = Identity(
                issuer=ANONYMOUS, subject="anonymous", authenticator="anonymous"
            )
            self._missing &= {"client", "tls.version", "certificate"} | {
                "certificate.verified"
            }
        elif not self._identity.authenticator:
            name = names[0] if len(names) == 1 else ""
            self._identity = attrs.evolve(self._identity, authenticator=name)
        self._steps.append(step)
        self._steps.append(Step(phase="identity", text=self._who(anonymous)))
        return None

    def _who(self, anonymous: bool) -> str:  # noqa: FBT001
        if anonymous:
            return "nobody in particular"
        if "claims" in self._missing:
            return "not given"
        lacks = sorted(self._missing & {"issuer", "subject", "scopes"})
        text = f"{self._identity.subject} of {self._identity.issuer}"
        return f"{text}; not given: {', '.join(lacks)}" if lacks else text

    def _bind(self) -> None:
        """Phase 5: which keys have to be proved, and which are."""
        wanted = wanted_bindings(self._route, self._identity)
        if isinstance(wanted, Unbound):
            text = f"no kind answers for {wanted.detail}"
            self._find("binding", text, "miss", wanted.status, wanted.reason)
            return
        # Who goes by a session may have proved the key that it is bound to.
        sessions = self._route.sessions
        bound = frozenset() if sessions is None else sessions.binds
        known = {"certificate"} - self._missing - bound
        proved = []
        for kind, binding in wanted.items():
            if kind in self._situation.bindings:
                proved.append(kind)
                self._find("binding", f"{kind}: taken as proved", "hit")
            elif kind in known:
                self._check_certificate(binding, proved)
            else:
                text = f"{kind}: whether it is proved is not given"
                self._find("binding", text, "may")
        told = len(proved) == len(wanted)
        for kind in sorted(bound - wanted.keys()):
            if kind in self._situation.bindings:
                proved.append(kind)
                self._find("binding", f"{kind}: taken as the session's", "hit")
            else:
                told = False
        if proved:
            self._request = attrs.evolve(self._request, bindings=tuple(proved))
        if "claims" in self._missing or not told:
            self._missing |= {"bindings"}

    def _check_certificate(self, binding: Any, proved: list[str]) -> None:  # noqa: ANN401
        """Compare certificates, as is done when a request comes."""
        if "claims" in self._missing:
            self._find("binding", "certificate: the token is not given", "may")
            return
        try:
            found = at_once(binding.check(self._request, self._identity))
        except WaitsError:
            self._find("binding", "certificate: not known here", "may")
            return
        if isinstance(found, Unbound):
            text = f"certificate: {found.reason}"
            self._find("binding", text, "miss", found.status, found.reason)
            return
        proved.append("certificate")
        self._find("binding", "certificate: proved", "hit")

    def _map(self) -> None:
        """Phase 6: what the backend calls the user."""
        names = ", ".join(self._config.map_user)
        if self._missing & (_WHO if names else {"subject"}):
            text = f"named by {names}" if names else "the subject"
            self._steps.append(Step(phase="user", text=f"{text}, which is not given"))
            if names:
                self._findings.append(Finding(step=self._steps[-1], outcome="may"))
            return
        naming = name_user(self._route, self._identity)
        try:
            user = at_once(naming)
        except Exception:  # noqa: BLE001
            # Whatever it needs to ask somebody is not there.
            self._find("user", f"named by {names}, who cannot be asked here", "may")
            return
        by = f", named by {names}" if names else ""
        if isinstance(user, Response):
            text = f"{user.reason}{by}"
            self._find("user", text, "miss", user.status, user.reason)
            return
        self._user = str(user)
        self._steps.append(Step(phase="user", text=f"{self._user or 'none'}{by}"))

    async def _authorise(self) -> None:
        """Phase 7: conditions and policies."""
        request, identity, missing = self._request, self._identity, self._missing
        found = judge_conditions(self._route, request, identity, missing)
        login = judge_login(self._route, request, identity, missing)
        if login is not None:
            found.append(login)
        policies = self._route.policies
        if policies is not None:
            found += await judge_policies(
                policies, request, identity, missing, ask=self._ask
            )
        self._findings += found
        self._steps += [finding.step for finding in found]
        if policies is not None:
            self._steps += judge_shadows(policies, request, identity, missing)

    async def _equip(self) -> None:
        """Phase 8: what the backend would get."""
        equipment = Equipment(user=self._user, settable=self._route.settable)
        await self._oblige(equipment)
        try:
            lines = build_identity(
                self._request, self._route, self._identity, self._user
            )
        except ValueError as e:
            self._find("header", str(e), "miss", 403, "header-value")
            return
        for line in lines.decode("latin-1").split("\r\n")[:-1]:
            name, _, value = line.partition(": ")
            self._headers.append((name, value))
        self._headers += equipment.fields
        for name, value in self._headers:
            self._steps.append(Step(phase="header", text=f"{name}: {value}"))
        if "claims" in self._missing:
            for _, name in self._route.headers.claims:
                text = f"{name}: of a claim that is not given"
                self._steps.append(Step(phase="header", text=text))
        self._steps += [
            Step(phase="header", text=f"without {name}")
            for name in sorted(equipment.removed)
        ]
        self._show_tokens()
        self._steps.append(Step(phase="backend", text=self._config.backend))

    async def _oblige(self, equipment: Equipment) -> None:
        """Do what can be done here of what policies oblige us to."""
        ours = Obligations()
        for finding in self._findings:
            decision = finding.decision
            if decision is None or finding.outcome == "miss":
                continue
            for name, parameters in decision.obligations:
                shown = ", ".join(f"{k} = {v!r}" for k, v in parameters.items())
                text = f"{name}: {shown}"
                if name not in OURS:
                    self._find("obligation", f"{text} (not tried)", "may")
                    continue
                alone = Decision(
                    effect=Effect.PERMIT, obligations=((name, parameters),)
                )
                undone = at_once(ours.fulfil(alone, self._request, equipment))
                if undone:
                    self._find("obligation", text, "miss", 403, f"obligation/{name}")
                else:
                    self._find("obligation", text, "hit")

    def _show_tokens(self) -> None:
        for supply, given in zip(
            self._route.supplies, self._config.token, strict=False
        ):
            audience = supply.audience.name or "what its table says"
            place = " ".join(filter(None, (given.to, given.field)))
            must = "" if supply.required else ", may be missing"
            text = (
                f"{supply.name} for {audience}, in {place}{must} (not asked for here)"
            )
            self._steps.append(Step(phase="token", text=text))

    def _find(
        self, phase: str, text: str, outcome: Outcome, status: int = 0, reason: str = ""
    ) -> None:
        """Add a step that may end the way, with *status* and *reason*."""
        step = Step(phase=phase, text=text, outcome=outcome, decides=outcome == "miss")
        self._steps.append(step)
        by = (reason,) if reason else ()
        self._findings.append(
            Finding(step=step, outcome=outcome, status=status, decided_by=by)
        )

    def _explanation(self, refused: Response | None) -> Explanation:
        verdict, status, by = _settle(self._findings)
        if refused is not None:
            verdict, status, by = "deny", refused.status, (refused.reason,)
        reason = by[0] if status and by else ""
        return Explanation(
            request=f"{self._situation.method} {self._situation.url}",
            verdict=verdict,
            status=status,
            reason=reason,
            route=f"route[{self._number}]",
            user=self._user,
            decided_by=by,
            headers=tuple(self._headers) if verdict == "permit" else (),
            steps=tuple(self._steps),
        )


def _settle(findings: list[Finding]) -> tuple[Verdict, int, tuple[str, ...]]:
    """Say what all of it comes to: the first that does not let it pass decides."""
    for finding in findings:
        if finding.outcome != "miss":
            continue
        decision = finding.decision
        by = finding.decided_by or (decision.reasons if decision else ())
        if decision is not None and decision.effect is Effect.STEP_UP:
            return "step_up", 401, by
        return "deny", finding.status or 403, by
    if any(finding.outcome == "may" for finding in findings):
        return "unknown", 0, ()
    return "permit", 0, tuple(by for each in findings for by in each.decided_by)
