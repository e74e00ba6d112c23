"""From what the catalogue grants to the statements of an IAM policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import dynamodb, s3, secretsmanager, sns

from stacks.functions_catalogue import camel_case
from stacks.grants import (
    Grant,
    Items,
    Objects,
    ProviderKeys,
    PublishAlert,
    RegisterModels,
    RotateKeys,
    SendMail,
    StartMonth,
)
from stacks.policies import Statement


@dataclass(frozen=True)
class Grantable:
    """What there is to be granted.

    Attributes
    ----------
    mail_resources : ARNs of the identity and the configuration set that mail is sent with
    mail_recipients : ARNs of the recipients' identities, where there are any
    sender : the only address that mail may be sent from
    alert_topics : severity to topic
    alert_key : ARN of the key that encrypts them
    state_machine, executions : ARNs; executions end in `*`
    model_group, model_packages : ARNs; packages end in `*`
    """

    buckets: Mapping[str, s3.Bucket]
    tables: Mapping[str, dynamodb.Table]
    secrets: Mapping[str, secretsmanager.Secret]
    mail_resources: Sequence[pulumi.Input[str]]
    mail_recipients: Sequence[pulumi.Input[str]]
    sender: str
    alert_topics: Mapping[str, sns.Topic]
    alert_key: pulumi.Input[str]
    state_machine: str
    executions: str
    model_group: str
    model_packages: str


def statements(grants: Sequence[Grant], on: Grantable) -> list[Statement]:
    """Return the statements that give exactly `grants`."""
    return [statement for grant in grants for statement in _statements(grant, on)]


def _statements(grant: Grant, on: Grantable) -> list[Statement]:
    match grant:
        case Objects():
            return object_statements(grant, on.buckets)
        case Items(table, actions):
            sid = f"Items{camel_case(table)}"
            return [Statement(sid, [f"dynamodb:{a}" for a in actions], [on.tables[table].arn])]
        case ProviderKeys():
            secrets = [secret.arn for secret in on.secrets.values()]
            return [Statement("ReadProviderKeys", ["secretsmanager:GetSecretValue"], secrets)]
        case RotateKeys():
            return [
                Statement(
                    "RotateProviderKeys",
                    [
                        "secretsmanager:DescribeSecret",
                        "secretsmanager:GetSecretValue",
                        "secretsmanager:UpdateSecretVersionStage",
                    ],
                    [secret.arn for secret in on.secrets.values()],
                )
            ]
        case SendMail():
            return _send_mail(on)
        case PublishAlert(severity):
            return publish_statements([on.alert_topics[severity].arn], on.alert_key)
        case StartMonth():
            return [
                Statement("StartMonth", ["states:StartExecution"], [on.state_machine]),
                Statement("FollowMonth", ["states:DescribeExecution"], [on.executions]),
            ]
        case RegisterModels():
            return [
                Statement(
                    "RegisterModels",
                    ["sagemaker:CreateModelPackage"],
                    [on.model_group, on.model_packages],
                ),
                Statement(
                    "FollowModels",
                    ["sagemaker:DescribeModelPackage", "sagemaker:UpdateModelPackage"],
                    [on.model_packages],
                ),
            ]


def object_statements(grant: Objects, buckets: Mapping[str, s3.Bucket]) -> list[Statement]:
    """Return the statements for keys of one bucket."""
    bucket, name = buckets[grant.bucket], camel_case(grant.bucket)

    def keys(patterns: Sequence[str]) -> list[pulumi.Input[str]]:
        return [pulumi.Output.concat(bucket.arn, "/", pattern) for pattern in patterns]

    found = []
    if grant.listing or grant.read:
        found.append(Statement(f"List{name}", ["s3:ListBucket"], [bucket.arn]))
    if grant.read:
        found.append(Statement(f"Read{name}", ["s3:GetObject"], keys(grant.read)))
    if grant.write:
        found.append(Statement(f"Write{name}", ["s3:PutObject"], keys(grant.write)))
    if grant.delete:
        found.append(Statement(f"Delete{name}", ["s3:DeleteObject"], keys(grant.delete)))
    return found


def publish_statements(
    topics: Sequence[pulumi.Input[str]], key: pulumi.Input[str]
) -> list[Statement]:
    """Return the statements for publishing to encrypted topics."""
    return [
        Statement("PublishAlert", ["sns:Publish"], topics),
        Statement("EncryptAlert", ["kms:Decrypt", "kms:GenerateDataKey"], [key]),
    ]


def read_switch(ledger: dynamodb.Table) -> Statement:
    """Return the statement for reading the kill switch, and no other item, of the ledger."""
    return Statement(
        "ReadSwitch",
        ["dynamodb:GetItem"],
        [ledger.arn],
        conditions={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["switch"]}},
    )


def _send_mail(on: Grantable) -> list[Statement]:
    """Return the statements for mail from the sender; in the sandbox SES asks for both."""
    reached = {"SendMail": on.mail_resources, "MailInSandbox": on.mail_recipients}
    return [
        Statement(
            sid=sid,
            actions=["ses:SendEmail", "ses:SendRawEmail"],
            resources=resources,
            conditions={"StringEquals": {"ses:FromAddress": on.sender}},
        )
        for sid, resources in reached.items()
        if resources
    ]
