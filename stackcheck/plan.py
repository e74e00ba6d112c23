"""Planning the program with Terraform and the real AWS provider, without an account."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stackcheck.definitions import definition_validator
from stackcheck.errors import StackCheckError
from stackcheck.recording import Recording
from stackcheck.terraform import PROVIDER, configuration

SECONDS = 600
MIRRORS = (Path("/opt/tf-plugins"), Path("/usr/share/terraform/plugins"))


@dataclass(frozen=True)
class Finding:
    """What the provider says about the program; `severity` is `error` or `warning`."""

    severity: str
    where: str
    said: str

    def __str__(self) -> str:
        return f"{self.severity} at {self.where}: {self.said}"


class Terraform:
    """Terraform with the AWS provider, in a folder of its own.

    Parameters
    ----------
    folder : is filled; a provider that lies there from before is used again

    Raises
    ------
    StackCheckError
        When there is no `terraform`, or no AWS provider can be had.
    """

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("terraform")
        if binary is None:
            raise StackCheckError(
                "there is no terraform on the PATH; install it to plan the program"
            )
        self._binary = binary
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._write({"terraform": {"required_providers": {"aws": {"source": PROVIDER}}}})
        self._run("init", "-input=false", "-backend=false")

    @cached_property
    def schema(self) -> Mapping[str, Any]:
        """The provider's resource types and their schemas."""
        printed = json.loads(self._run("providers", "schema", "-json"))
        (provider,) = printed["provider_schemas"].values()
        found: Mapping[str, Any] = provider["resource_schemas"]
        return found

    def validate(self, recording: Recording, *, referenced: bool) -> list[Finding]:
        """Return what the provider finds wrong with a recorded stack, before planning."""
        self._write(configuration(recording, self.schema, referenced=referenced))
        printed = json.loads(self._run("validate", "-json", accepted=(0, 1)))
        return [
            Finding(one["severity"], _where(one), f"{one['summary']} {one.get('detail', '')}")
            for one in printed["diagnostics"]
        ]

    def plan(self, recording: Recording, *, referenced: bool) -> dict[str, Any]:
        """Return the plan that creates a recorded stack, as `terraform show -json` prints it.

        Raises
        ------
        StackCheckError
            With every error that planning found.
        """
        content = configuration(recording, self.schema, referenced=referenced)
        with definition_validator() as url:
            for provider in content["provider"]["aws"]:
                provider["endpoints"] = [{"sfn": url}]
            self._write(content)
            lines = self._run(
                *("plan", "-json", "-input=false", "-refresh=false", "-lock=false", "-out=plan"),
                accepted=(0, 1),
            ).splitlines()
        errors = [
            f"{_where(one['diagnostic'])}: {one['diagnostic']['summary']}"
            f" {one['diagnostic'].get('detail', '')}"
            for one in map(json.loads, lines)
            if one.get("@level") == "error" and "diagnostic" in one
        ]
        if errors:
            raise StackCheckError("; ".join(errors))
        shown: dict[str, Any] = json.loads(self._run("show", "-json", "plan"))
        return shown

    def _write(self, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=1)
        (self._folder / "main.tf.json").write_text(text, encoding="utf-8")

    def _run(self, *arguments: str, accepted: Sequence[int] = (0,)) -> str:
        finished = subprocess.run(  # noqa: S603  no shell
            [self._binary, f"-chdir={self._folder}", *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=self._environment(),
            check=False,
        )
        if finished.returncode not in accepted:
            said = " ".join((finished.stderr or finished.stdout).split())
            raise StackCheckError(f"terraform {arguments[0]} failed: {said}")
        return finished.stdout

    def _environment(self) -> dict[str, str]:
        """Return the variables of a run that reads no configuration and no credentials of the user.

        A mirror of providers on this machine is used where there is one.
        """
        settings = self._folder / "terraform.rc"
        mirrors = [str(path) for path in MIRRORS if (path / "registry.terraform.io").is_dir()]
        text = "".join(f'filesystem_mirror {{ path = "{path}" }}\n' for path in mirrors)
        direct = 'direct { exclude = ["registry.terraform.io/hashicorp/aws"] }\n' if mirrors else ""
        written = f"provider_installation {{\n{text}{direct or 'direct {}'}}}\n"
        settings.write_text(written, encoding="utf-8")
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "TF_CLI_CONFIG_FILE": str(settings),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def _where(diagnostic: Mapping[str, Any]) -> str:
    snippet = diagnostic.get("snippet") or {}
    return str(snippet.get("context") or diagnostic.get("address") or "the configuration")
