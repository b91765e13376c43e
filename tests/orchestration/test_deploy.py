"""The files of a small server, as far as they can be read without one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"


def test_every_container_is_given_its_secrets_as_files_and_is_reached_on_this_machine_only():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert set(services) == {"code", "daemon", "ui", "site"}
    for service in services.values():
        files = {name: value for name, value in service["environment"].items() if name.endswith("_FILE")}
        assert {Path(value).name for value in files.values()} == set(service["secrets"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_units_are_sound(tmp_path: Path):
    programs = str(Path(sys.executable).parent)
    units = [tmp_path / path.name for path in (DEPLOY / "systemd").iterdir() if path.suffix in (".service", ".timer")]
    for unit in units:
        unit.write_text((DEPLOY / "systemd" / unit.name).read_text().replace("/opt/top5/.venv/bin", programs))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
