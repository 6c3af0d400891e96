"""etc/policies.toml runs; a set of files with a mistake changes nothing."""

import json
import shutil
import signal
from pathlib import Path

from tests.support.issuing import Issuer
from tests.test_etc_tokens import ETC, Example

MISTAKE = "[[rule]]\nname = 'all'\neffect = 'permit'\nwhen = 'claims.x = 1'\n"


def test_policies(tmp_path: Path) -> None:
    """etc/policies.toml, and a reload of it with a mistake in one of its files."""
    shutil.copytree(ETC / "policy.d", tmp_path / "policy.d")
    issuer = Issuer()
    issuers = {"https://login.example.com": issuer}
    example = Example("policies.toml", tmp_path, issuers)

    def status(path: str, **claims: str) -> int:
        answer = example.ask(path, issuer.token(**claims))
        assert "Traceback" not in example.proxy.log()
        return answer.status

    with example.running(issuer):
        assert status("/", sub="alice") == 200
        assert status("/", sub="carol") == 200, "alice's group has those on call"
        assert status("/", sub="bob") == 403
        assert status("/", sub="alice", left_on="2026-01-01") == 403
        assert status("/", sub="alice", scope="other") == 403
        assert status("/orders/1", sub="bob", department="it") == 403
        assert status("/orders/1/notes/2", sub="bob", scope="orders.read") == 403
        scope = "orders.read notes.write"
        assert status("/orders/1/notes/2", sub="bob", scope=scope) == 200
        assert status("/orders/x/notes/2", sub="bob", scope=scope) == 403

        passed = example.ask("/orders/1", issuer.token(sub="bob", department="s2"))
        assert json.loads(passed.text)["x-purpose"] == "sales"

        (tmp_path / "policy.d" / "30-new.toml").write_text(MISTAKE)
        (tmp_path / "policy.d" / "20-orders.toml").unlink()
        example.proxy.signal(signal.SIGHUP)
        example.proxy.wait_for_log("30-new.toml")
        assert status("/", sub="alice") == 200, "the old set is in force, all of it"
        assert status("/", sub="bob") == 403

        (tmp_path / "policy.d" / "30-new.toml").unlink()
        example.proxy.signal(signal.SIGHUP)
        example.proxy.wait_for_log("reloaded", times=2)
        assert status("/", sub="alice") == 403, "the new set has no rule for her"
