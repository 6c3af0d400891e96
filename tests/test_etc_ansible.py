"""etc/ansible/policy.yml pushes a policy that is good, and no other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from sso_proxy.testing.pki import Issued, Pki

ETC = Path(__file__).parent.parent / "etc"
BIN = Path(sys.executable).parent
RULE = '[[rule]]\nname = "new"\neffect = "{}"\n'


class Machine:
    """A machine with a proxy, and the policy that it is to get."""

    def __init__(self, directory: Path, issued: Issued, effect: str) -> None:
        self.directory, self.proxy = directory, directory / "proxy"
        (self.proxy / "tls").mkdir(parents=True)
        issued.write(self.proxy / "tls", "api")
        text = (ETC / "policies.toml").read_text()
        state = f"[server]\nstate_dir = '{directory / 'state'}'\n"
        (self.proxy / "policies.toml").write_text(state + text)
        shutil.copytree(ETC / "policy.d", self.proxy / "policy.d")
        (directory / "source").mkdir()
        (directory / "source" / "new.toml").write_text(RULE.format(effect))

    def variables(self) -> dict[str, str]:
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "policy_source": f"{self.directory / 'source'}/",
            "sso_proxy_config": str(self.proxy / "policies.toml"),
            "sso_proxy_command": str(BIN / "sso-proxy"),
            "sso_proxy_reload": "touch ../reloaded",
        }

    def names(self) -> list[str]:
        return sorted(path.name for path in (self.proxy / "policy.d").iterdir())

    def is_reloaded(self) -> bool:
        return (self.directory / "reloaded").exists()


def play(directory: Path, machines: dict[str, Machine]) -> str:
    """Run the playbook for all machines; give what it says."""
    hosts = {name: machine.variables() for name, machine in machines.items()}
    inventory = directory / "inventory.json"
    inventory.write_text(json.dumps({"proxies": {"hosts": hosts}}))
    command = [str(BIN / "ansible-playbook"), "-i", str(inventory)]
    done = subprocess.run(  # noqa: S603
        [*command, str(ETC / "ansible" / "policy.yml")],
        env={
            **os.environ,
            "ANSIBLE_HOME": str(directory / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_policy_is_pushed_if_it_is_good(tmp_path: Path) -> None:
    issued = Pki.create().issue("api", dns=["api.example.com"], server=True)
    good = Machine(tmp_path / "good", issued, "permit")
    bad = Machine(tmp_path / "bad", issued, "allow")
    before = bad.names()
    said = play(tmp_path, {"good": good, "bad": bad})

    assert good.names() == ["new.toml"], said
    assert good.is_reloaded()
    assert (good.proxy / "policy.d.old" / "20-orders.toml").exists()

    assert "rule[0].effect" in said
    assert bad.names() == before
    assert not bad.is_reloaded()
    for machine in (good, bad):
        assert not (machine.directory / "proxy.candidate").exists()
