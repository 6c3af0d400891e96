"""The example for Kubernetes: its structure, its references, its configuration."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sso_proxy.config.load import load_config
from sso_proxy.config.model import Config
from sso_proxy.health import main as ask_health
from sso_proxy.process.pool import HANGS, LIVE_TIMEOUT, LOOK_EVERY

ETC = Path(__file__).parent.parent.parent / "etc"
FILE = ETC / "kubernetes" / "sso-proxy.yaml"
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all(FILE.read_text()))
POD: dict[str, Any]
(POD,) = [each["spec"]["template"] for each in OBJECTS if each["kind"] == "Deployment"]
SPEC: dict[str, Any] = POD["spec"]
CONTAINER: dict[str, Any]
(CONTAINER,) = SPEC["containers"]
MADE_BY_HAND = {"sso-proxy-tls": {"tls.crt", "tls.key"}}
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def one(kind: str) -> dict[str, Any]:
    (found,) = [each for each in OBJECTS if each["kind"] == kind]
    return found


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Load the configuration with the secrets where the pod has them."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in one("Secret")["stringData"]:
        (secrets / name).write_text("s3cret")
        (secrets / name).chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    file = tmp_path / "sso-proxy.toml"
    file.write_text(one("ConfigMap")["data"]["sso-proxy.toml"])
    return load_config(file)


def test_objects_are_whole() -> None:
    versions = {each["kind"]: each["apiVersion"] for each in OBJECTS}
    assert versions == {
        "ConfigMap": "v1",
        "Secret": "v1",
        "ServiceAccount": "v1",
        "Deployment": "apps/v1",
        "PodDisruptionBudget": "policy/v1",
        "Service": "v1",
    }
    assert all(each["metadata"]["name"] for each in OBJECTS)


def test_nothing_is_privileged() -> None:
    pod, container = SPEC["securityContext"], CONTAINER["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] == pod["runAsGroup"] == pod["fsGroup"] == 10001
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert SPEC["automountServiceAccountToken"] is False
    assert one("ServiceAccount")["automountServiceAccountToken"] is False


def test_user_is_that_of_the_image() -> None:
    image = (ETC.parent / "packaging" / "Containerfile").read_text()
    user = SPEC["securityContext"]["runAsUser"]
    assert f"\nUSER {user}:{user}\n" in image


def test_what_is_selected_is_labelled() -> None:
    labels = POD["metadata"]["labels"]
    for selector in (
        one("Deployment")["spec"]["selector"]["matchLabels"],
        one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one("Service")["spec"]["selector"],
        SPEC["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ):
        assert selector == labels


def test_what_is_mounted_is_there() -> None:
    volumes = {each["name"]: each for each in SPEC["volumes"]}
    mounted = {each["name"]: each for each in CONTAINER["volumeMounts"]}
    assert volumes.keys() == mounted.keys()
    assert (
        volumes["configuration"]["configMap"]["name"]
        == one("ConfigMap")["metadata"]["name"]
    )
    known = {one("Secret")["metadata"]["name"]: one("Secret")["stringData"]}
    projected = volumes["secrets"]["projected"]
    for source in projected["sources"]:
        assert source["secret"]["name"] in known | MADE_BY_HAND
    assert projected["defaultMode"] & 0o007 == 0
    (environment,) = CONTAINER["env"]
    assert environment["name"] == "CREDENTIALS_DIRECTORY"
    assert environment["value"] == mounted["secrets"]["mountPath"]
    assert (
        mounted["secrets"]["readOnly"] is mounted["configuration"]["readOnly"] is True
    )


def test_configuration_has_no_mistakes(config: Config) -> None:
    (listener,) = config.listener
    (port,) = CONTAINER["ports"]
    assert listener.port == port["containerPort"]
    (outside,) = one("Service")["spec"]["ports"]
    assert outside["targetPort"] == port["name"]
    for file in (listener.certificate, listener.key):
        assert file is not None
        assert Path(file).name in MADE_BY_HAND["sso-proxy-tls"]


@pytest.mark.parametrize("probe", PROBES)
def test_probes_ask_the_listener_that_is_configured(
    probe: str, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    python, _m, module, address, what = CONTAINER[probe]["exec"]["command"]
    assert (python, module) == ("python3", "sso_proxy.health")
    assert config.server.admin is not None
    assert address == config.server.admin.address
    # What all pods miss at once, such as a cache, must not take all of them out.
    assert what == ("ready" if probe == "startupProbe" else "live")
    assert ask_health([address, what]) == 1  # 2 would be: not understood
    assert "does not answer" in capsys.readouterr().out


def test_start_may_take_as_long_as_workers_are_given() -> None:
    probe = CONTAINER["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 120


def test_worker_that_hangs_is_replaced_before_the_pod_is() -> None:
    probe = CONTAINER["livenessProbe"]
    assert LIVE_TIMEOUT < LOOK_EVERY
    longest = LOOK_EVERY * (HANGS + 1)
    assert probe["periodSeconds"] * (probe["failureThreshold"] - 1) > longest


def test_requests_are_finished_before_the_pod_is_killed(config: Config) -> None:
    sleep, seconds = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep == "sleep"
    needed = float(seconds) + config.server.drain_timeout + 1
    assert SPEC["terminationGracePeriodSeconds"] > needed


def test_one_may_go_and_the_others_stay() -> None:
    replicas = one("Deployment")["spec"]["replicas"]
    assert 0 < one("PodDisruptionBudget")["spec"]["minAvailable"] < replicas
    rolling = one("Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert (rolling["maxUnavailable"], rolling["maxSurge"]) == (0, 1)
