"""The manifests of docker/k8s: valid, safe, and of one piece with edge-detect and with one another."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from tests.docker import kube_schema

yaml = pytest.importorskip("yaml")

FOLDER = Path(__file__).resolve().parents[2] / "docker" / "k8s"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
FILES = KUSTOMIZATION["resources"]
GENERATED = {each["name"]: each["files"] for each in KUSTOMIZATION["configMapGenerator"]}
SECRETS = {"edge-cameras", "mosquitto", "grafana"}  # made by hand, see docs/deployment.md


def manifests() -> List[Dict[str, Any]]:
    return [found for name in FILES for found in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))]


def of_kind(*kinds: str) -> Dict[str, Dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in manifests() if found["kind"] in kinds}


WORKLOADS = of_kind("DaemonSet", "StatefulSet", "Deployment")


def pod(name: str) -> Dict[str, Any]:
    found: Dict[str, Any] = WORKLOADS[name]["spec"]["template"]["spec"]
    return found


def containers() -> Iterator[Dict[str, Any]]:
    for name in WORKLOADS:
        yield from pod(name)["containers"]
        yield from pod(name).get("initContainers", [])


def test_all_files_are_listed() -> None:
    assert sorted([*FILES, "kustomization.yaml"]) == sorted(path.name for path in FOLDER.glob("*.yaml"))
    for files in GENERATED.values():
        for file in files:
            assert (FOLDER / file.rpartition("=")[2]).is_file()


def test_they_fit_the_schemas() -> None:
    pytest.importorskip("kubernetes")
    for manifest in manifests():
        kube_schema.check(manifest)


WRONG: List[Callable[[Dict[str, Any]], Any]] = [
    lambda of: of["spec"].update(replicas=2),  # of a Deployment
    lambda of: of["spec"]["template"]["spec"].update(hostnetwork=True),
    lambda of: of["spec"]["template"]["spec"]["containers"][0].update(ports=[{"containerPort": "9464"}]),
    lambda of: of["spec"]["template"]["spec"]["containers"][0]["env"][0].update(value=1),
    lambda of: of["spec"].pop("selector"),
    lambda of: of.update(apiVersion="apps/v7"),
]


@pytest.mark.parametrize("spoil", WRONG)
def test_the_check_finds_faults(spoil: Callable[[Dict[str, Any]], Any]) -> None:
    pytest.importorskip("kubernetes")
    manifest = deepcopy(WORKLOADS["edge-detect"])
    spoil(manifest)
    with pytest.raises(ValueError):
        kube_schema.check(manifest)


@pytest.mark.parametrize("name", WORKLOADS)
def test_labels_select_their_own_pods(name: str) -> None:
    spec = WORKLOADS[name]["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    service = of_kind("Service").get(name)
    assert service is None or service["spec"]["selector"] == spec["selector"]["matchLabels"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_is_mounted_is_there(name: str) -> None:
    spec = pod(name)
    claims = [each["metadata"]["name"] for each in WORKLOADS[name]["spec"].get("volumeClaimTemplates", [])]
    volumes = {each["name"] for each in spec.get("volumes", [])} | set(claims)
    mounted = {
        m["name"] for each in [*spec["containers"], *spec.get("initContainers", [])] for m in each["volumeMounts"]
    }
    assert mounted == volumes
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            assert volume["configMap"]["name"] in GENERATED
        if "secret" in volume:
            assert volume["secret"]["secretName"] in SECRETS
    for file in (m for each in spec["containers"] for m in each["volumeMounts"] if "subPath" in m):
        config = next(each for each in spec["volumes"] if each["name"] == file["name"])["configMap"]["name"]
        assert f"files/{file['subPath']}" in GENERATED[config]


def test_there_are_no_secrets_in_the_files() -> None:
    assert not of_kind("Secret")
    assert not re.search(
        r"rtsps?://\S+:\S+@", "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.y*ml"))
    )


def test_everything_is_bounded_and_has_few_rights() -> None:
    for container in containers():
        about = container["securityContext"]
        assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]
        assert about["readOnlyRootFilesystem"] and about["capabilities"]["drop"] == ["ALL"]
        assert about["allowPrivilegeEscalation"] is False and "privileged" not in about
    for name in WORKLOADS:
        assert pod(name)["securityContext"]["runAsNonRoot"] and pod(name)["securityContext"]["runAsUser"] > 0
        assert not pod(name).get("hostNetwork") and pod(name)["automountServiceAccountToken"] == (name == "prometheus")


def test_a_new_version_rolls_from_board_to_board_by_readiness() -> None:
    spec = WORKLOADS["edge-detect"]["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    (container,) = pod("edge-detect")["containers"]
    paths = {
        probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert pod("edge-detect")["runtimeClassName"] == "nvidia" and "nvidia.com/gpu" in container["resources"]["limits"]
    assert container["image"] == "edge-runtime" == KUSTOMIZATION["images"][0]["name"]


def test_ports_that_are_named_exist() -> None:
    for container in containers():
        names = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            at = container.get(probe, {})
            port = (at.get("httpGet") or at.get("tcpSocket") or {}).get("port")
            assert port is None or port in names
