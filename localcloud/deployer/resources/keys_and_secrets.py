"""KMS keys and Secrets Manager secrets."""

from typing import Any

from localcloud.context import KEY_ID_TAG
from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    SettingHandler,
    found,
    given,
    gone,
    handles,
    tag_list,
)

PENDING = frozenset({"PendingDeletion", "PendingReplicaDeletion"})


@handles("aws:kms/key:Key")
class Key(Handler):
    """A key; only the cloud knows the id of a new one."""

    def identify(self, inputs: Inputs) -> str | None:  # noqa: ARG002
        """Return None: keys have no names."""
        return None

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and id; a key that awaits its deletion is gone."""
        answer = found(self.cloud.client("kms").describe_key, KeyId=identity)
        if answer is None or answer["KeyMetadata"]["KeyState"] in PENDING:
            return None
        return Live(identity, {"arn": answer["KeyMetadata"]["Arn"], "keyId": identity})

    def create(self, inputs: Inputs) -> Live:
        """Create the key, with rotation where it is asked for."""
        return self._create(inputs, tag_list(inputs, "TagKey", "TagValue"))

    def restore(self, identity: str, inputs: Inputs) -> Live:
        """Create the key with the id that it had."""
        named = {"TagKey": KEY_ID_TAG, "TagValue": identity}
        return self._create(inputs, [*tag_list(inputs, "TagKey", "TagValue"), named])

    def _create(self, inputs: Inputs, tags: list[dict[str, str]]) -> Live:
        client = self.cloud.client("kms")
        answer = client.create_key(
            Description=inputs.get("description", ""), Policy=inputs["policy"], Tags=tags
        )
        identity = str(answer["KeyMetadata"]["KeyId"])
        if inputs.get("enableKeyRotation"):
            client.enable_key_rotation(KeyId=identity)
        return Live(identity, {"arn": answer["KeyMetadata"]["Arn"], "keyId": identity})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the policy and the description."""
        client = self.cloud.client("kms")
        client.put_key_policy(KeyId=identity, PolicyName="default", Policy=inputs["policy"])
        client.update_key_description(KeyId=identity, Description=inputs.get("description", ""))

    def delete(self, identity: str) -> None:
        """Schedule the deletion, as KMS has it."""
        gone(self.cloud.client("kms").schedule_key_deletion, KeyId=identity, PendingWindowInDays=7)


@handles("aws:kms/alias:Alias")
class Alias(Handler):
    """The name of a key."""

    replace_on = frozenset({"name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the alias's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:
        """Return the ARN; an alias of another key drifted."""
        pages = self.cloud.client("kms").get_paginator("list_aliases").paginate()
        for alias in (alias for page in pages for alias in page["Aliases"]):
            if alias["AliasName"] == identity:
                wanted = inputs.get("targetKeyId")
                other = wanted is not None and alias.get("TargetKeyId") != wanted
                return Live(identity, {"arn": alias["AliasArn"]}, drifted=other)
        return None

    def create(self, inputs: Inputs) -> Live:
        """Create the alias."""
        self.cloud.client("kms").create_alias(
            AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"]
        )
        name, place = str(inputs["name"]), f"{self.cloud.region}:{self.cloud.account}"
        return Live(name, {"arn": f"arn:aws:kms:{place}:{name}"})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Point the alias at its key."""
        self.cloud.client("kms").update_alias(AliasName=identity, TargetKeyId=inputs["targetKeyId"])

    def delete(self, identity: str) -> None:
        """Delete the alias."""
        gone(self.cloud.client("kms").delete_alias, AliasName=identity)


@handles("aws:secretsmanager/secret:Secret")
class Secret(Handler):
    """A secret, whose value is put in by others."""

    replace_on = frozenset({"name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the secret's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return the ARN; a secret that awaits its deletion is gone."""
        answer = found(self.cloud.client("secretsmanager").describe_secret, SecretId=identity)
        if answer is None or answer.get("DeletedDate"):
            return None
        return Live(identity, {"arn": answer["ARN"], "name": answer["Name"]})

    def create(self, inputs: Inputs) -> Live:
        """Create the secret, without a value."""
        answer = self.cloud.client("secretsmanager").create_secret(
            Name=inputs["name"],
            Description=inputs.get("description", ""),
            Tags=tag_list(inputs),
            **given(inputs, KmsKeyId="kmsKeyId"),
        )
        return Live(str(inputs["name"]), {"arn": answer["ARN"], "name": answer["Name"]})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the description and the tags."""
        client = self.cloud.client("secretsmanager")
        client.update_secret(
            SecretId=identity,
            Description=inputs.get("description", ""),
            **given(inputs, KmsKeyId="kmsKeyId"),
        )
        client.tag_resource(SecretId=identity, Tags=tag_list(inputs))

    def delete(self, identity: str) -> None:
        """Delete the secret at once: a home is thrown away whole."""
        gone(
            self.cloud.client("secretsmanager").delete_secret,
            SecretId=identity,
            ForceDeleteWithoutRecovery=True,
        )


@handles("aws:secretsmanager/secretRotation:SecretRotation")
class SecretRotation(SettingHandler):
    """Which function rotates a secret, and when; its id is the secret's."""

    replace_on = frozenset({"secretId"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the secret's id."""
        return str(inputs["secretId"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:
        """Ask whether the secret is rotated; by another function, it drifted."""
        answer = found(self.cloud.client("secretsmanager").describe_secret, SecretId=identity)
        if answer is None or not answer.get("RotationEnabled"):
            return None
        wanted = inputs.get("rotationLambdaArn", answer.get("RotationLambdaARN"))
        drifted = answer.get("RotationLambdaARN") != wanted
        return Live(identity, {"rotationEnabled": True}, drifted=drifted)

    def put(self, inputs: Inputs) -> dict[str, Any]:
        """Set the function and the times; the secret is rotated now only where that is asked."""
        self.cloud.client("secretsmanager").rotate_secret(
            SecretId=inputs["secretId"],
            RotateImmediately=bool(inputs.get("rotateImmediately", True)),
            RotationRules=given(
                inputs["rotationRules"],
                AutomaticallyAfterDays="automaticallyAfterDays",
                Duration="duration",
                ScheduleExpression="scheduleExpression",
            ),
            **given(inputs, RotationLambdaARN="rotationLambdaArn"),
        )
        return {"rotationEnabled": True}

    def delete(self, identity: str) -> None:
        """Let the secret be as it is."""
        gone(self.cloud.client("secretsmanager").cancel_rotate_secret, SecretId=identity)
