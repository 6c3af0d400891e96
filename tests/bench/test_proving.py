"""Tokens and proofs that a measurement sends."""

import json
from pathlib import Path

import pytest

from sso_proxy.specs.oauth.dpop import read_proof
from tests.bench import proving
from tests.bench.proving import Proving

URI = "https://localhost:8443/dpop/1k"


def test_each_line_has_a_token_and_a_proof_of_its_own(tmp_path: Path) -> None:
    made = Proving.create(tmp_path, lambda number: {"sub": f"user-{number}"})
    lines = made.write(URI, 3).read_text().splitlines()
    pairs = [line.split(" ") for line in lines]
    assert len({token for token, _ in pairs}) == len(pairs) == 3
    proofs = [read_proof([proof]) for _, proof in pairs]
    assert {proof.claims["htu"] for proof in proofs} == {URI}
    assert len({proof.claims["jti"] for proof in proofs}) == 3


def test_the_two_checks_alone_have_a_cost(capsys: pytest.CaptureFixture[str]) -> None:
    proving.main(0.01)
    found = json.loads(capsys.readouterr().out)
    assert found["cpu_us"] > 0
    assert found["per_second"] > 0
