"""SES: configuration sets, their event destinations, identities."""

from typing import Any

from localcloud.deployer.handler import Handler, Inputs, Live, found, gone, handles, tag_list


@handles("aws:sesv2/configurationSet:ConfigurationSet")
class ConfigurationSet(Handler):
    """What mails are sent through."""

    replace_on = frozenset({"configurationSetName"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the set's name."""
        return str(inputs["configurationSetName"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and name."""
        client = self.cloud.client("sesv2")
        if found(client.get_configuration_set, ConfigurationSetName=identity) is None:
            return None
        return self._live(identity)

    def _live(self, name: str) -> Live:
        arn = f"arn:aws:ses:{self.cloud.region}:{self.cloud.account}:configuration-set/{name}"
        return Live(name, {"arn": arn, "configurationSetName": name})

    def create(self, inputs: Inputs) -> Live:
        """Create the set with its options."""
        options = {
            "DeliveryOptions": _capitals(inputs.get("deliveryOptions")),
            "ReputationOptions": _capitals(inputs.get("reputationOptions")),
            "SendingOptions": _capitals(inputs.get("sendingOptions")),
            "SuppressionOptions": _capitals(inputs.get("suppressionOptions")),
        }
        self.cloud.client("sesv2").create_configuration_set(
            ConfigurationSetName=inputs["configurationSetName"],
            Tags=tag_list(inputs),
            **{name: value for name, value in options.items() if value},
        )
        return self._live(str(inputs["configurationSetName"]))

    def update(self, identity: str, inputs: Inputs) -> None:
        """Make the set anew with its options, which moto cannot change one by one."""
        self.delete(identity)
        self.create(inputs)

    def delete(self, identity: str) -> None:
        """Delete the set."""
        client = self.cloud.client("sesv2")
        gone(client.delete_configuration_set, ConfigurationSetName=identity)


@handles("aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination")
class EventDestination(Handler):
    """Where a set's events go; its id is `set|destination`."""

    replace_on = frozenset({"configurationSetName", "eventDestinationName"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return set and destination."""
        return f"{inputs['configurationSetName']}|{inputs['eventDestinationName']}"

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Look the destination up in its set."""
        configuration_set, _, name = identity.partition("|")
        answer = found(
            self.cloud.client("sesv2").get_configuration_set_event_destinations,
            ConfigurationSetName=configuration_set,
        )
        names = [destination["Name"] for destination in (answer or {}).get("EventDestinations", [])]
        return Live(identity) if name in names else None

    def create(self, inputs: Inputs) -> Live:
        """Create the destination."""
        configuration_set, name = inputs["configurationSetName"], inputs["eventDestinationName"]
        self.cloud.client("sesv2").create_configuration_set_event_destination(
            ConfigurationSetName=configuration_set,
            EventDestinationName=name,
            EventDestination=_capitals(inputs["eventDestination"]),
        )
        return Live(f"{configuration_set}|{name}")

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the destination."""
        configuration_set, _, name = identity.partition("|")
        self.cloud.client("sesv2").update_configuration_set_event_destination(
            ConfigurationSetName=configuration_set,
            EventDestinationName=name,
            EventDestination=_capitals(inputs["eventDestination"]),
        )

    def delete(self, identity: str) -> None:
        """Delete the destination."""
        configuration_set, _, name = identity.partition("|")
        gone(
            self.cloud.client("sesv2").delete_configuration_set_event_destination,
            ConfigurationSetName=configuration_set,
            EventDestinationName=name,
        )


@handles("aws:sesv2/emailIdentity:EmailIdentity")
class EmailIdentity(Handler):
    """An address or domain; the embedded cloud takes it as verified."""

    replace_on = frozenset({"emailIdentity"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the address or domain."""
        return str(inputs["emailIdentity"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return the ARN."""
        if found(self.cloud.client("sesv2").get_email_identity, EmailIdentity=identity) is None:
            return None
        return self._live(identity)

    def _live(self, address: str) -> Live:
        arn = f"arn:aws:ses:{self.cloud.region}:{self.cloud.account}:identity/{address}"
        return Live(address, {"arn": arn, "emailIdentity": address})

    def create(self, inputs: Inputs) -> Live:
        """Create the identity."""
        self.cloud.client("sesv2").create_email_identity(
            EmailIdentity=inputs["emailIdentity"], Tags=tag_list(inputs)
        )
        return self._live(str(inputs["emailIdentity"]))

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the tags."""
        arn = self._live(identity).outputs["arn"]
        self.cloud.client("sesv2").tag_resource(ResourceArn=arn, Tags=tag_list(inputs))

    def delete(self, identity: str) -> None:
        """Delete the identity."""
        gone(self.cloud.client("sesv2").delete_email_identity, EmailIdentity=identity)


def _capitals(value: Any) -> Any:
    """Return Pulumi's `tlsPolicy` as SES's `TlsPolicy`, all the way down."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: _capitals(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_capitals(item) for item in value]
    return value
