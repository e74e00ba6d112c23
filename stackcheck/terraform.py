"""The registered resources as a Terraform configuration, by the AWS provider's own schema.

Pulumi's AWS package is generated from that provider: names are its names in camel case, lists of
blocks are in the plural, and a block that there is only one of is not in a list. What the schema
does not know is passed on unchanged, so that the provider itself refuses it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stackcheck.errors import StackCheckError
from stackcheck.recording import Recorded, Recording

Schema = Mapping[str, Any]

# Types whose name in Terraform is not made of the parts of Pulumi's.
NAMES: Mapping[str, str] = {
    "aws:alb/listener:Listener": "aws_lb_listener",
    "aws:alb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:alb/targetGroup:TargetGroup": "aws_lb_target_group",
    "aws:cfg/deliveryChannel:DeliveryChannel": "aws_config_delivery_channel",
    "aws:cfg/recorder:Recorder": "aws_config_configuration_recorder",
    "aws:cfg/recorderStatus:RecorderStatus": "aws_config_configuration_recorder_status",
    "aws:cfg/rule:Rule": "aws_config_config_rule",
    "aws:cloudtrail/trail:Trail": "aws_cloudtrail",
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": "aws_ce_anomaly_monitor",
    "aws:costexplorer/anomalySubscription:AnomalySubscription": "aws_ce_anomaly_subscription",
    "aws:costexplorer/costAllocationTag:CostAllocationTag": "aws_ce_cost_allocation_tag",
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:s3/bucketVersioning:BucketVersioning": "aws_s3_bucket_versioning",
}
PLURALS = ((r"ies$", "y"), (r"sses$", "ss"), (r"xes$", "x"), (r"s$", ""))
PROVIDER = "hashicorp/aws"
# Nothing is asked of AWS: planning a resource that does not exist needs no answer.
SETTINGS = {
    "access_key": "of-no-account",
    "secret_key": "of-no-account",
    "skip_credentials_validation": True,
    "skip_metadata_api_check": "true",
    "skip_region_validation": True,
    "skip_requesting_account_id": True,
}


def configuration(recording: Recording, schema: Schema, *, referenced: bool) -> dict[str, Any]:
    """Return `main.tf.json` of a recorded stack.

    Parameters
    ----------
    schema : resource type to its schema, as `terraform providers schema -json` prints it
    referenced : a value that is an attribute of another resource becomes a reference to it;
        otherwise every value is written out, and the provider checks it

    Raises
    ------
    StackCheckError
        When the provider has no counterpart of a type.
    """
    labels = Labels(recording, schema)
    resources: dict[str, dict[str, Any]] = {}
    providers = {one.urn: one for one in recording.resources if one.type == "pulumi:providers:aws"}
    for one in recording.aws:
        type_, label = labels.of(one)
        values = references(one, labels) if referenced else one.inputs
        body = block(values, schema[type_]["block"])
        if alias := _alias(one, providers):
            body["provider"] = alias
        resources.setdefault(type_, {})[label] = body
    return {
        "terraform": {"required_providers": {"aws": {"source": PROVIDER}}},
        "provider": {"aws": [_provider(recording), *_aliased(providers)]},
        "resource": resources,
    }


class Labels:
    """Each resource's type and label in Terraform."""

    def __init__(self, recording: Recording, schema: Schema) -> None:
        self.schema = schema
        self._by_urn: dict[str, tuple[str, str]] = {}
        self._resources = {one.urn: one for one in recording.aws}
        taken: set[tuple[str, str]] = set()
        for one in recording.aws:
            type_ = terraform_type(one.type, schema)
            label = re.sub(r"\W", "-", one.name)
            while (type_, label) in taken:
                label += "-"
            taken.add((type_, label))
            self._by_urn[one.urn] = (type_, label)

    def of(self, resource: Recorded) -> tuple[str, str]:
        """Return type and label."""
        return self._by_urn[resource.urn]

    def resource(self, urn: str) -> Recorded | None:
        """Return a resource of AWS by its URN."""
        return self._resources.get(urn)


def terraform_type(token: str, schema: Schema) -> str:
    """Return the provider's name of a Pulumi type; raises `StackCheckError` if it has none."""
    _, path, class_name = token.split(":")
    module, kind = path.split("/")[0], snake(class_name)
    candidates = [f"aws_{module}_{kind}", f"aws_{kind}"]
    if token in NAMES:
        candidates.insert(0, NAMES[token])
    for candidate in candidates:
        if candidate in schema:
            return candidate
    raise StackCheckError(
        f"the AWS provider has none of {', '.join(candidates)} for {token}:"
        " add its name in stackcheck/terraform.py, or correct the type"
    )


def block(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a block."""
    attributes, blocks = schema.get("attributes", {}), schema.get("block_types", {})
    required = [name for name, one in attributes.items() if one.get("required")]
    body: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        name = _known(snake(key), {**attributes, **blocks}, required)
        if name in blocks:
            body[name] = _blocks(value, blocks[name])
        elif name in attributes:
            body[name] = _attribute(value, attributes[name].get("type"))
        else:
            body[name] = escaped(value)
    return body


def _blocks(value: Any, schema: Mapping[str, Any]) -> Any:
    listed = value if isinstance(value, list) else [value]
    return [
        block(one, schema["block"]) if isinstance(one, Mapping) else escaped(one) for one in listed
    ]


def _attribute(value: Any, type_: Any) -> Any:
    """Return a value of an attribute; one of several objects has arguments, as a block has."""
    if isinstance(type_, list) and type_[0] in {"list", "set"}:
        listed = value if isinstance(value, list) else [value]
        return [_attribute(one, type_[1]) for one in listed]
    if isinstance(type_, list) and type_[0] == "object" and isinstance(value, Mapping):
        named = {_known(snake(key), type_[1]): one for key, one in value.items()}
        return {
            key: _attribute(one, type_[1][key]) if key in type_[1] else escaped(one)
            for key, one in named.items()
        }
    return escaped(value)


def snake(name: str) -> str:
    """Return `kmsMasterKeyId` as `kms_master_key_id`, `s3Key` as `s3_key`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return spaced.lower()


class Reference(str):
    """Text that Terraform is to evaluate."""

    __slots__ = ()


def escaped(value: Any) -> Any:
    """Return a value of which Terraform evaluates nothing but references."""
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, str):
        return re.sub(r"([$%])\{", r"\1\1{", value)
    if isinstance(value, list):
        return [escaped(one) for one in value]
    if isinstance(value, Mapping):
        return {key: escaped(one) for key, one in value.items()}
    return value


def references(resource: Recorded, labels: Labels) -> dict[str, Any]:
    """Return the inputs with each value that is an attribute of a resource named as such."""
    return {
        key: _referring(value, dict(_attributes(resource.property_depends_on.get(key, ()), labels)))
        for key, value in resource.inputs.items()
    }


def _referring(value: Any, attributes: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _reference(value, attributes)
    if isinstance(value, list):
        return [_referring(one, attributes) for one in value]
    if isinstance(value, Mapping):
        return {key: _referring(one, attributes) for key, one in value.items()}
    return value


def _reference(text: str, attributes: Mapping[str, str]) -> str:
    """Return text with the attribute that it is, or that it begins with, as a reference.

    What is written into a document stays: its reader shall see the document.
    """
    if text in attributes:
        return Reference(attributes[text])
    begun = [one for one in attributes if text.startswith(one) and text[len(one)] in ":/"]
    if not begun:
        return text
    longest = max(begun, key=len)
    return Reference(attributes[longest] + escaped(text[len(longest) :]))


def _attributes(urns: tuple[str, ...], labels: Labels) -> Iterator[tuple[str, str]]:
    """Yield the values of resources' attributes, and how they are referred to."""
    for urn in urns:
        found = labels.resource(urn)
        if found is None:
            continue
        type_, label = labels.of(found)
        known = labels.schema[type_]["block"]["attributes"]
        if found.id:
            yield found.id, f"${{{type_}.{label}.id}}"
        # What the program sets itself comes last and wins: its value is known when planning.
        for output, value in sorted(found.outputs.items(), key=lambda kv: kv[0] in found.inputs):
            name = snake(output)
            if isinstance(value, str) and len(value) > 3 and name in known and name != "region":
                yield value, f"${{{type_}.{label}.{name}}}"


def _known(name: str, names: Mapping[str, Any], required: Sequence[str] = ()) -> str:
    """Return the schema's word for a name.

    Pulumi shortens some names that are required: `function_name` to `function`, `topic_arn` to
    `topic`, a function's `function_name` to `name`.
    """
    if name in names:
        return name
    for plural, singular in PLURALS:
        candidate = re.sub(plural, singular, name)
        if candidate in names:
            return candidate
    longer = [one for one in required if one.startswith(f"{name}_") or one.endswith(f"_{name}")]
    if len(longer) == 1:
        return longer[0]
    return f"{name}s" if f"{name}s" in names else name


def _provider(recording: Recording) -> dict[str, Any]:
    return SETTINGS | {"region": str(recording.outputs.get("region") or "us-east-1")}


def _aliased(providers: Mapping[str, Recorded]) -> list[dict[str, Any]]:
    return [
        SETTINGS | {"alias": re.sub(r"\W", "-", one.name), "region": one.inputs.get("region")}
        for one in providers.values()
    ]


def _alias(resource: Recorded, providers: Mapping[str, Recorded]) -> str | None:
    found = providers.get(resource.provider.rpartition("::")[0])
    return f"aws.{re.sub(r'[^a-zA-Z0-9_]', '-', found.name)}" if found else None
