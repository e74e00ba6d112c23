"""How mail leaves: the sender's identity and the configuration set whose events come back."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, lambda_, sesv2

from stacks.deployment import Deployment

EVENTS = ("SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT", "DELIVERY_DELAY")
RETRY_SECONDS = 3600


@dataclass(frozen=True)
class MailArgs:
    """The arguments of `Mail`.

    Attributes
    ----------
    identity : the address or domain that mail is sent as
    recipients : addresses that get an identity of their own, as the SES sandbox asks for
    """

    deployment: Deployment
    identity: str
    recipients: Sequence[str] = ()


class Mail(pulumi.ComponentResource):
    """An SES configuration set that reports to EventBridge, and the identities.

    Attributes
    ----------
    configuration_set : what every mail is sent through
    identities : the sender's, then those of the recipients
    """

    configuration_set: sesv2.ConfigurationSet
    identities: Sequence[sesv2.EmailIdentity]

    def __init__(
        self, name: str, args: MailArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:mail:Mail", name, None, opts)
        self._deployment = args.deployment
        self.configuration_set = self._configuration_set()
        addresses = dict.fromkeys([args.identity, *args.recipients])
        self.identities = [
            sesv2.EmailIdentity(
                f"identity-{address}",
                email_identity=address,
                tags=args.deployment.tags,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for address in addresses
        ]
        self.register_outputs({"configuration_set": self.configuration_set.configuration_set_name})

    @property
    def resources(self) -> list[pulumi.Input[str]]:
        """ARNs that sending needs: configuration set and the sender's identity."""
        return [self.configuration_set.arn, self.identities[0].arn]

    @property
    def recipients(self) -> list[pulumi.Input[str]]:
        """ARNs of the recipients' identities, whose use SES asks for in the sandbox too."""
        return [identity.arn for identity in self.identities[1:]]

    def _configuration_set(self) -> sesv2.ConfigurationSet:
        deployment = self._deployment
        configuration_set = sesv2.ConfigurationSet(
            "mail",
            configuration_set_name=deployment.name("mail"),
            delivery_options=sesv2.ConfigurationSetDeliveryOptionsArgs(tls_policy="REQUIRE"),
            reputation_options=sesv2.ConfigurationSetReputationOptionsArgs(
                reputation_metrics_enabled=True
            ),
            sending_options=sesv2.ConfigurationSetSendingOptionsArgs(sending_enabled=True),
            suppression_options=sesv2.ConfigurationSetSuppressionOptionsArgs(
                suppressed_reasons=["BOUNCE", "COMPLAINT"]
            ),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        sesv2.ConfigurationSetEventDestination(
            "mail-events",
            configuration_set_name=configuration_set.configuration_set_name,
            event_destination_name="event-bus",
            event_destination=sesv2.ConfigurationSetEventDestinationEventDestinationArgs(
                enabled=True,
                matching_event_types=list(EVENTS),
                event_bridge_destination=sesv2.ConfigurationSetEventDestinationEventDestinationEventBridgeDestinationArgs(
                    event_bus_arn=deployment.arn("events", "event-bus/default")
                ),
            ),
            opts=pulumi.ResourceOptions(parent=configuration_set),
        )
        return configuration_set


@dataclass(frozen=True)
class MailEventsArgs:
    """The arguments of `MailEvents`."""

    deployment: Deployment
    configuration_set: pulumi.Input[str]
    function: lambda_.Function
    dead_letters: pulumi.Input[str]


class MailEvents(pulumi.ComponentResource):
    """The way of a mail's events from EventBridge to the function that records them.

    Attributes
    ----------
    rule : the EventBridge rule
    """

    rule: cloudwatch.EventRule

    def __init__(
        self, name: str, args: MailEventsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("trading:mail:MailEvents", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        pattern = {
            "source": ["aws.ses"],
            "detail": {"mail": {"tags": {"ses:configuration-set": [args.configuration_set]}}},
        }
        self.rule = cloudwatch.EventRule(
            "mail-events",
            name=args.deployment.name("mail-events"),
            description="Events of this environment's mails",
            event_pattern=pulumi.Output.json_dumps(pattern),
            tags=args.deployment.tags,
            opts=inside,
        )
        permission = lambda_.Permission(
            "mail-events",
            statement_id="mail-events",
            action="lambda:InvokeFunction",
            function=args.function.name,
            principal="events.amazonaws.com",
            source_arn=self.rule.arn,
            opts=inside,
        )
        cloudwatch.EventTarget(
            "mail-events",
            rule=self.rule.name,
            target_id="mail-events",
            arn=args.function.arn,
            dead_letter_config=cloudwatch.EventTargetDeadLetterConfigArgs(arn=args.dead_letters),
            retry_policy=cloudwatch.EventTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=RETRY_SECONDS, maximum_retry_attempts=10
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )
        self.register_outputs({"rule": self.rule.name})
