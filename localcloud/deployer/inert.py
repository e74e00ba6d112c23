"""Resource types that have no counterpart on one machine: accepted, and listed in the result."""

from collections.abc import Mapping
from typing import Any

INERT: Mapping[str, str] = {
    "docker-build:index:Image": "Nothing is built: functions and jobs run from the checkout.",
    "pulumi:providers:aws": "The endpoint and credentials are the deployer's.",
    "pulumi:providers:docker-build": "Nothing is built.",
}


def inert_outputs(type_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of an inert resource.

    An image is referred to by its first tag, as Pulumi does where nothing was pushed; it has no
    digest.
    """
    outputs = dict(inputs)
    if type_ == "docker-build:index:Image":
        outputs["ref"] = (inputs.get("tags") or [""])[0]
    return outputs
