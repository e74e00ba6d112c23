"""Delivery against SES and DynamoDB servers (moto), with attempts that die at every point."""

import contextlib
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from itertools import count

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from trading.config import NotificationSettings
from trading.errors import ConfigurationError, DataError
from trading.notifications.address import canonical, masked, parse_address, recipient_hash
from trading.notifications.delivery import (
    SES_CONFIG,
    THROTTLE_TRIES,
    DeliveryState,
    Mailer,
)
from trading.notifications.errors import (
    MailOutcomeUnknownError,
    MailRejectedError,
    MailUnavailableError,
)
from trading.notifications.mail_ledger import MailLedger, MailState
from trading.notifications.ses_events import record_event

MONTH, ANALYST = "2026-11", "analyst@trading.example"
SETTINGS = NotificationSettings(sender="Signals <signals@trading.example>", reconcile_seconds=60)


class PowerCutError(BaseException):
    """Stands for kill -9: nothing catches it."""


class Clock:
    """A clock that only sleeping moves; `alarms` ring when their second is reached."""

    def __init__(self):
        self.now = datetime(2026, 11, 2, 12, tzinfo=UTC)
        self.slept = 0.0
        self.alarms = {}

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.slept += seconds
        self.now += timedelta(seconds=seconds)
        for due in [second for second in self.alarms if second <= self.slept]:
            self.alarms.pop(due)()


class World:
    """The servers, and what a test wants to know of them."""

    def __init__(self):
        self.dynamodb = boto3.resource("dynamodb", region_name="us-east-1")
        self.ses = boto3.client("sesv2", region_name="us-east-1", config=SES_CONFIG)
        self.ses.create_email_identity(EmailIdentity="signals@trading.example")
        self._ids = count(1)

    def begin(self):
        """Forget everything."""
        if hasattr(self, "table"):
            self.table.delete()
        self.table = self.dynamodb.create_table(
            TableName="ledger",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self.ledger = MailLedger(self.table)
        self.clock = Clock()
        self._ids = count(1)
        ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages.clear()
        return self

    def mailer(self, client=None, ledger=None):
        return Mailer(
            ledger or self.ledger,
            SETTINGS,
            environment="dev",
            configuration_set="trading-dev",
            client=client or self.ses,
            clock=self.clock,
            sleep=self.clock.sleep,
            new_attempt=lambda: f"attempt-{next(self._ids)}",
        )

    def deliver(self, **parts):
        return self.mailer(**parts).deliver(message(), MONTH, ANALYST)

    @property
    def inbox(self):
        sent = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
        return [mail for mail in sent if ANALYST in mail.destinations]

    def item(self):
        key = {"pk": "month#2026-11", "sk": f"mail#{ANALYST}"}
        return self.table.get_item(Key=key).get("Item")

    def send_event(self, kind="Send", environment="dev"):
        event = ses_event(self.inbox[-1].id, kind, environment)
        return record_event(self.ledger, {"detail": event}, environment="dev")


def ses_event(message_id, kind="Send", environment="dev"):
    return {
        "eventType": kind,
        "mail": {
            "timestamp": "2026-11-02T12:00:01.000Z",
            "messageId": message_id,
            "destination": [ANALYST],
            "tags": {
                "month": [MONTH],
                "recipient": [recipient_hash(ANALYST)],
                "environment": [environment],
                "ses:configuration-set": ["trading-dev"],
            },
        },
    }


@pytest.fixture(scope="module")
def servers():
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield World()


@pytest.fixture
def world(servers):
    return servers.begin()


class Wire:
    """An SES client whose `send_email` is interfered with; the rest is the real one's."""

    def __init__(self, client, *mishaps):
        self._client, self._mishaps = client, list(mishaps)
        self.meta = client.meta
        self.requests = []

    def send_email(self, **request):
        self.requests.append(request)
        mishap = self._mishaps.pop(0) if self._mishaps else None
        return mishap(self._client, request) if mishap else self._client.send_email(**request)


def before(error):
    """The request is never taken; the caller sees `error`."""

    def mishap(client, request):
        raise error

    return mishap


def after(error):
    """The mail is sent; the caller sees `error`."""

    def mishap(client, request):
        client.send_email(**request)
        raise error

    return mishap


def client_error(code, status=400, text="no"):
    answer = {"Error": {"Code": code, "Message": text}}
    return ClientError(answer | {"ResponseMetadata": {"HTTPStatusCode": status}}, "SendEmail")


STEPS, MOMENTS = ["claim", "record_sent"], ["before", "after"]
DELAY = st.floats(0.5, 55.0)
TIMEOUT = ReadTimeoutError(endpoint_url="https://email")
UNKNOWN = [TIMEOUT, client_error("InternalFailure", 500)]


def message():
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SETTINGS.sender, ANALYST, "Signals"
    mail.set_content("BUY ACME — rank 1")
    return mail


def test_a_mail_goes_out_once_with_its_tags(world):
    wire = Wire(world.ses)

    first, second = world.deliver(client=wire), world.deliver(client=wire)

    assert (first.state, second.state) == (DeliveryState.SENT, DeliveryState.ALREADY_SENT)
    assert first.message_id == second.message_id == world.inbox[0].id
    assert len(world.inbox) == len(wire.requests) == 1
    assert world.clock.slept == 0
    request = wire.requests[0]
    assert request["ConfigurationSetName"] == "trading-dev"
    assert request["Destination"] == {"ToAddresses": [ANALYST]}
    tags = {tag["Name"]: tag["Value"] for tag in request["EmailTags"]}
    assert tags == {"month": MONTH, "recipient": recipient_hash(ANALYST), "environment": "dev"}
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value) for value in tags.values())


@pytest.mark.parametrize("step", ["claim", "record_sent"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("event", ["at once", "while the next attempt waits"])
def test_an_attempt_that_dies_anywhere_still_ends_in_one_mail(world, step, moment, event):
    with pytest.raises(PowerCutError):
        world.deliver(ledger=DyingLedger(world.ledger, step, moment))
    if world.inbox and event == "at once":
        world.send_event()
    elif world.inbox:
        world.clock.alarms[31.0] = world.send_event

    delivery = world.deliver()

    assert len(world.inbox) == 1
    assert delivery.message_id == world.inbox[0].id
    assert world.item()["state"] == MailState.SENT
    assert world.clock.slept <= SETTINGS.reconcile_seconds
    assert "duplicates" not in world.item()


class DyingLedger:
    """A ledger whose process dies just before or after one of its writes."""

    def __init__(self, ledger, step, moment):
        self._ledger, self._step, self._moment = ledger, step, moment

    def __getattr__(self, name):
        real = getattr(self._ledger, name)
        if name != self._step:
            return real

        def dying(*arguments):
            if self._moment == "after":
                real(*arguments)
            raise PowerCutError

        return dying


def test_without_any_event_the_mail_is_sent_again_after_the_wait_and_not_before(world):
    with pytest.raises(PowerCutError):
        world.deliver(client=Wire(world.ses, before(PowerCutError())))

    assert world.deliver().state is DeliveryState.SENT
    assert world.clock.slept == SETTINGS.reconcile_seconds
    assert len(world.inbox) == 1


def test_an_old_claim_is_still_watched_for_an_event_that_was_held_up(world):
    with pytest.raises(PowerCutError):
        world.deliver(client=Wire(world.ses, after(PowerCutError())))
    world.clock.now += timedelta(days=1)
    world.clock.alarms[3.0] = world.send_event

    assert world.deliver().state is DeliveryState.ALREADY_SENT
    assert len(world.inbox) == 1


def test_the_remaining_risk_is_kept_in_the_ledger(world):
    """Sent, died, and the Send event came later than the wait: two mails, and the ledger knows."""
    with pytest.raises(PowerCutError):
        world.deliver(client=Wire(world.ses, after(PowerCutError())))
    late = ses_event(world.inbox[0].id)

    world.deliver()
    record_event(world.ledger, late, environment="dev")

    assert len(world.inbox) == 2
    assert world.item()["message_id"] == world.inbox[1].id
    assert world.item()["duplicates"] == {world.inbox[0].id}


@pytest.mark.parametrize("error", UNKNOWN)
def test_a_lost_answer_is_reconciled_by_the_event(world, error):
    wire = Wire(world.ses, after(error))
    world.clock.alarms[3.0] = world.send_event

    delivery = world.deliver(client=wire)

    assert delivery.state is DeliveryState.ALREADY_SENT
    assert len(world.inbox) == 1
    assert delivery.message_id == world.inbox[0].id


@pytest.mark.parametrize("error", UNKNOWN)
def test_a_lost_request_is_sent_again(world, error):
    delivery = world.deliver(client=Wire(world.ses, before(error)))

    assert delivery.state is DeliveryState.SENT
    assert len(world.inbox) == 1
    assert world.clock.slept == SETTINGS.reconcile_seconds


def test_when_no_answer_ever_comes_the_claim_stays(world):
    with pytest.raises(MailOutcomeUnknownError, match=r"may have been sent.*Send event"):
        world.deliver(client=Wire(world.ses, *[before(TIMEOUT)] * 3))

    assert world.item()["state"] == MailState.CLAIMED


def test_a_refused_mail_is_told_without_the_address_and_may_be_sent_later(world):
    refusal = client_error("MessageRejected", 400, f"Email address is not verified: {ANALYST}")

    with pytest.raises(MailRejectedError, match="MessageRejected") as caught:
        world.deliver(client=Wire(world.ses, before(refusal)))

    assert ANALYST not in str(caught.value)
    assert masked(ANALYST) in str(caught.value)
    assert world.item()["state"] == MailState.RELEASED
    assert world.deliver().state is DeliveryState.SENT
    assert world.clock.slept == 0


def test_a_sender_that_is_not_verified_is_refused_by_the_server(world):
    mailer = Mailer(
        world.ledger,
        NotificationSettings(sender="stranger@elsewhere.example"),
        environment="dev",
        client=world.ses,
    )

    with pytest.raises(MailRejectedError, match="check that sender"):
        mailer.deliver(message(), MONTH, ANALYST)


def test_an_unreachable_service_releases_the_claim(world):
    error = EndpointConnectionError(endpoint_url="https://email")

    with pytest.raises(MailUnavailableError, match="could not be reached"):
        world.deliver(client=Wire(world.ses, before(error)))

    assert world.item()["state"] == MailState.RELEASED


def test_a_throttled_mail_is_repeated_with_growing_waits(world):
    throttle = before(client_error("TooManyRequestsException", 429))

    assert world.deliver(client=Wire(world.ses, throttle, throttle)).state is DeliveryState.SENT
    assert 1.5 <= world.clock.slept <= 3
    assert len(world.inbox) == 1


def test_a_mail_throttled_for_good_is_released(world):
    throttle = before(client_error("ThrottlingException", 400))

    with pytest.raises(MailUnavailableError, match=f"throttled .* {THROTTLE_TRIES} times"):
        world.deliver(client=Wire(world.ses, *[throttle] * THROTTLE_TRIES))

    assert world.item()["state"] == MailState.RELEASED


def test_of_two_that_wait_for_a_dead_claim_only_one_sends(world):
    with pytest.raises(PowerCutError):
        world.deliver(client=Wire(world.ses, before(PowerCutError())))
    world.clock.alarms[60.0] = lambda: world.deliver()

    delivery = world.deliver()

    assert delivery.state is DeliveryState.ALREADY_SENT
    assert len(world.inbox) == 1


def test_a_throttled_attempt_that_lost_its_claim_does_not_send(world):
    throttle = before(client_error("TooManyRequestsException", 429))

    def meanwhile():
        world.ledger.take_over(MONTH, ANALYST, "attempt-1", "rival", world.clock())
        world.ses.send_email(**wire.requests[0])
        world.send_event()

    wire = Wire(world.ses, throttle)
    world.clock.alarms[0.1] = meanwhile

    assert world.deliver(client=wire).state is DeliveryState.ALREADY_SENT
    assert len(world.inbox) == 1


def test_a_client_that_retries_by_itself_is_refused(world):
    with pytest.raises(ConfigurationError, match="SES_CONFIG"):
        world.mailer(client=boto3.client("sesv2", region_name="us-east-1"))


def test_events_are_recorded_in_any_order_and_repeatedly(world):
    delivery = world.deliver()

    assert world.send_event("Delivery")
    assert world.send_event("Send")
    assert world.send_event("Send")

    item = world.item()
    assert item["message_id"] == delivery.message_id
    assert item["outcome"] == "delivered"
    assert "duplicates" not in item


def test_events_of_others_are_left_alone(world):
    world.deliver()

    assert not world.send_event(environment="prod")
    stranger = ses_event("m-1")
    stranger["mail"]["destination"] = ["other@trading.example"]
    assert not record_event(world.ledger, stranger, environment="dev")
    unclaimed = ses_event("m-2")
    unclaimed["mail"]["tags"]["month"] = ["2026-10"]
    assert not record_event(world.ledger, unclaimed, environment="dev")
    assert world.table.scan()["Count"] == 1


@pytest.mark.parametrize("event", [{}, {"detail": {"eventType": "Send", "mail": {}}}])
def test_what_is_no_ses_event_is_refused(world, event):
    with pytest.raises(DataError, match="not one of SES"):
        record_event(world.ledger, event, environment="dev")


@pytest.mark.parametrize(
    "text",
    ["", "nobody", "a@", "@b", "a b@c.example", "a@b.example\nBcc: c@d.example", "ä@b.example"],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ConfigurationError, match="is not a mail address"):
        parse_address(text)


def test_two_spellings_of_an_address_are_one_recipient():
    assert canonical("The Analyst <Analyst@Trading.Example>") == ANALYST
    assert recipient_hash("ANALYST@trading.example") == recipient_hash(ANALYST)


class AnyMishaps(RuleBasedStateMachine):
    """Attempts that die or lose answers in any order, while each Send event comes within a minute.

    Whatever happens, at most one mail goes out, and a SENT mail stays SENT.
    """

    world: World

    def __init__(self):
        super().__init__()
        self.world.begin()

    @rule(
        step=st.sampled_from(["claim", "record_sent"]), moment=st.sampled_from(MOMENTS), delay=DELAY
    )
    def dies(self, step, moment, delay):
        ledger = DyingLedger(self.world.ledger, step, moment)
        with contextlib.suppress(PowerCutError):
            self.deliver(delay, ledger=ledger)

    @rule(mishap=st.sampled_from([before, after]), error=st.sampled_from(UNKNOWN), delay=DELAY)
    def loses_an_answer(self, mishap, error, delay):
        self.deliver(delay, mishap(error))

    @rule(error=st.sampled_from([client_error("MessageRejected"), client_error("Throttling")]))
    def is_refused(self, error):
        with contextlib.suppress(MailRejectedError, MailUnavailableError):
            self.deliver(1.0, *[before(error)] * THROTTLE_TRIES)

    @rule(delay=DELAY)
    def delivers(self, delay):
        self.deliver(delay)

    @rule(seconds=st.floats(0.1, 200.0))
    def time_passes(self, seconds):
        self.world.clock.sleep(seconds)

    @invariant()
    def at_most_one_mail_went_out(self):
        item = self.world.item() or {}
        assert len(self.world.inbox) <= 1
        if item.get("state") == MailState.SENT:
            assert [item["message_id"]] == [mail.id for mail in self.world.inbox]
        assert "duplicates" not in item

    def teardown(self):
        self.world.deliver()
        assert len(self.world.inbox) == 1

    def deliver(self, delay, *mishaps, **parts):
        """Deliver; the event of an accepted mail arrives `delay` seconds after it."""
        world, sent = self.world, len(self.world.inbox)

        class Accepting(Wire):
            def send_email(self, **request):
                try:
                    return super().send_email(**request)
                finally:
                    if len(world.inbox) > sent:
                        world.clock.alarms[world.clock.slept + delay] = world.send_event

        return world.deliver(client=Accepting(world.ses, *mishaps), **parts)


def test_no_order_of_mishaps_sends_a_mail_twice(servers):
    AnyMishaps.world = servers
    run_state_machine_as_test(
        AnyMishaps,
        settings=settings(max_examples=6, stateful_step_count=10, deadline=None, derandomize=True),
    )


def test_the_ledger_tells_a_months_mails_to_whomever_they_went(world):
    now = datetime(2026, 11, 2, tzinfo=UTC)
    former = [f"former{number:03}@trading.example" for number in range(3)]
    for address in former:
        assert world.ledger.claim(MONTH, f"Somebody <{address}>", f"attempt of {address}", now)
    assert world.ledger.claim("2026-12", ANALYST, "another month", now)
    assert world.ledger.record_sent(MONTH, former[0], "id", now)
    told = world.ledger.of_month(MONTH)
    assert list(told) == former
    assert [told[one].attempt for one in former] == [f"attempt of {one}" for one in former]
    assert (told[former[0]].state, told[former[0]].message_id) == (MailState.SENT, "id")
