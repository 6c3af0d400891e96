"""What a busy proxy tells of itself, made up, for the status page."""

import math
import random
from typing import Any, Final

from sso_proxy.traffic import BOUNDS, SLOTS, STEP

NOW: Final = 1_795_363_203.0


def busy_status() -> dict[str, Any]:
    """Give a document that has everything: much traffic, failures, many logins."""
    chance = random.Random(7)  # noqa: S311 - a picture, always the same
    return {
        "name": "gateway-1.example.com",
        "workers": [4, 4],
        "missing": [
            "warning: certificate tls/wiki.crt expires in 9 days",
            "cache.shared: 127.0.0.1:6379 does not answer",
        ],
        "reload_refused": False,
        "traffic": [_slot(chance, i) for i in range(SLOTS - 1)],
        "decisions": _decisions(),
        "logins": _logins(),
        "listeners": [["0.0.0.0:8443", 1042], ["[::]:8443", 17]],
        "parts": {
            "authenticator.api": [],
            "authenticator.staff": [],
            "cache.shared": ["127.0.0.1:6379 does not answer"],
            "policy.remote": ["warning: slower than 100 ms"],
            "token.orders": [],
        },
        "upstreams": [
            {
                "name": "orders",
                "busy": 12,
                "idle": 36,
                "servers": [
                    _server("10.0.4.11:8080", "up", 7),
                    _server("10.0.4.12:8080", "slow", 5, "began 20 s ago"),
                    _server("10.0.4.13:8080", "down", 0, "connection refused"),
                ],
            },
            {"name": "http://127.0.0.1:9000", "busy": 1, "idle": 3, "servers": []},
        ],
        "certificates": [
            ["tls/clients.crl", NOW + 6.5 * 86400, 86400.0],
            ["tls/wiki.crt", NOW + 9 * 86400, 21 * 86400.0],
            ["tls/app.crt", NOW + 61 * 86400, 21 * 86400.0],
        ],
    }


def _server(name: str, state: str, busy: int, why: str = "") -> dict[str, Any]:
    return {"server": name, "state": state, "why": why, "busy": busy, "since": 180.0}


def _slot(chance: random.Random, number: int) -> dict[str, Any]:
    wave = 900 + 350 * math.sin(number / 23) + chance.gauss(0, 40)
    bad = 140 if 110 < number < 124 else 2
    answers = [
        ["orders", 2, int(wave)],
        ["wiki", 2, int(wave / 4)],
        ["wiki", 3, int(wave / 20)],
        ["orders", 4, int(chance.uniform(5, 40))],
        ["", 4, int(chance.uniform(0, 9))],
        ["orders", 5, int(bad * chance.random())],
    ]
    middle = 4.1 + (1.3 if 110 < number < 124 else 0) + chance.gauss(0, 0.15)
    durations = [0] * (len(BOUNDS) + 1)
    for _ in range(160):
        place = chance.gauss(middle, 1.5)
        durations[min(max(round(place), 0), len(BOUNDS))] += 1
    start = int(NOW) // STEP * STEP - (SLOTS - 1 - number) * STEP
    return {"start": start, "answers": answers, "durations": durations}


def _decisions() -> list[dict[str, Any]]:
    kinds = [
        ("permit", 200, "", "orders", "GET", "api", 0.0031),
        ("deny", 403, "scope", "orders", "POST", "api", 0.0004),
        ("deny", 401, "invalid_token", "orders", "GET", "", 0.0002),
        ("permit", 204, "", "wiki", "PUT", "staff", 0.021),
        ("error", 503, "unavailable", "wiki", "GET", "", 2.0),
        ("permit", 502, "backend-refused", "orders", "GET", "api", 0.0012),
        ("deny", 404, "no-route", "", "GET", "", 0.0001),
    ]
    return [
        {
            "id": f"9f2c61b0a4d7-{4711 - i}",
            "time": NOW - 0.4 - 1.7 * i,
            "decision": decision,
            "status": status,
            "reason": reason,
            "route": route,
            "method": method,
            "authenticator": authenticator,
            "seconds": seconds,
        }
        for i in range(21)
        for decision, status, reason, route, method, authenticator, seconds in [
            kinds[i % len(kinds)]
        ]
    ]


def _logins() -> list[dict[str, Any]]:
    people = ["alice", "bob", "carol", "dan", "erin", "<script>alert(1)</script>"]
    return [
        {
            "id": f"S{i:02}aXkq0cTq2mP1yQ9rVw",
            "in": "web" if i % 3 else "admin",
            "created": NOW - 40 * i**2 - 12,
            "issuer": "https://login.example.com/realms/staff",
            "subject": name,
            "authenticator": "staff",
            "address": f"192.0.2.{10 + i}",
            "application": "wiki.example.com" if i % 2 else "orders.example.com",
            "bindings": ["certificate"] if i == 1 else [],
        }
        for i, name in enumerate(people)
    ]
