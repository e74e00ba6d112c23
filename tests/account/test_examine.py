"""An account examined: moto where it answers, the service models hold every other answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.client
import botocore.loaders
import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.validate import validate_parameters
from moto import mock_aws

from trading.account.access import principal_of
from trading.account.examine import examine
from trading.account.finding import Finding, Verdict
from trading.account.needs import DEPLOYING, SERVICES, Needs, read_needs
from trading.cli import main
from trading.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
READING = ("Describe", "Get", "List", "Simulate")
SPOT = "ml.m5.2xlarge for spot training job usage"


def quota(name: str, value: float) -> dict[str, Any]:
    return {"QuotaName": name, "Value": value, "QuotaCode": "L-1234ABCD"}


def sandboxed(**changed: Any) -> dict[str, Any]:
    fit = {"SendingEnabled": True, "ProductionAccessEnabled": True, "EnforcementStatus": "HEALTHY"}
    return fit | {"SendQuota": {"Max24HourSend": 200.0}} | changed


def limit(executions: int) -> dict[str, Any]:
    return {"AccountLimit": {"ConcurrentExecutions": executions}}


class Account:
    """An account by its answers: those given here, else moto's; every call is kept."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers: dict[str, Any] = {
            "GetCallerIdentity": {
                "Account": "123456789012",
                "UserId": "AIDA",
                "Arn": "arn:aws:sts::123456789012:assumed-role/deployer/me",
            },
            "SimulatePrincipalPolicy": self._simulated,
            "ListAWSDefaultServiceQuotas": {"Quotas": [quota(SPOT, 0)]},
            "ListServiceQuotas": {"Quotas": [quota(SPOT, 9)]},
            "GetAccountSettings": limit(1000),
            "GetAccount": sandboxed(),
        }
        self.denied: set[str] = set()

    def refuse(self, operation: str, code: str) -> None:
        self.answers[operation] = ClientError({"Error": {"Code": code}}, operation)

    def _simulated(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["PolicySourceArn"] == "arn:aws:iam::123456789012:role/deployer"
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalDecision": "implicitDeny" if action in self.denied else "allowed",
                }
                for action in asked["ActionNames"]
            ]
        }


LOADER = botocore.loaders.Loader()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Answer calls, of which requests and answers must fit the service's model."""
    found = Account()
    fresh = botocore.session.get_session

    def with_models_read_once() -> botocore.session.Session:
        session = fresh()
        session.register_component("data_loader", LOADER)
        return session

    monkeypatch.setattr(botocore.session, "get_session", with_models_read_once)
    with mock_aws():
        by_moto = botocore.client.BaseClient._make_api_call

        def call(client: Any, operation: str, asked: dict[str, Any]) -> Any:
            found.calls.append(operation)
            if operation not in found.answers:
                return by_moto(client, operation, asked)
            model = client.meta.service_model.operation_model(operation)
            validate_parameters(asked, model.input_shape)
            answer = found.answers[operation]
            if isinstance(answer, Exception):
                raise answer
            answer = answer(asked) if callable(answer) else answer
            validate_parameters(answer, model.output_shape)
            return answer

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
        yield found


@pytest.fixture(autouse=True)
def few_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask two services where it is not the services that a test is about."""
    few = {name: SERVICES[name] for name in ("dynamodb", "sagemaker")}
    monkeypatch.setattr("trading.account.access.SERVICES", few)


@pytest.fixture
def needs() -> Needs:
    return read_needs(ROOT, "prod")


def about(findings: list[Finding], check: str) -> Finding:
    (found,) = (one for one in findings if one.check.startswith(check))
    return found


@pytest.mark.slow
def test_a_fit_account_is_fit_and_only_read(
    account: Account, needs: Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.account.access.SERVICES", SERVICES)
    findings = examine(needs)
    assert {one.verdict for one in findings} == {Verdict.OK}, findings
    assert about(findings, "services").says == f"{len(SERVICES)} of {len(SERVICES)} answer"
    assert all(call.startswith(READING) for call in account.calls)
    assert len(account.calls) > len(SERVICES)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NoCredentialsError(), "aws configure sso"),
        (ClientError({"Error": {"Code": "ExpiredToken"}}, "x"), "sign in again"),
        (ClientError({"Error": {"Code": "InvalidClientTokenId"}}, "x"), "check the access key"),
        (EndpointConnectionError(endpoint_url="https://sts"), "network"),
    ],
    ids=["none", "expired", "wrong", "offline"],
)
def test_without_credentials_nothing_more_is_asked(
    account: Account, needs: Needs, error: Exception, says: str
) -> None:
    account.answers["GetCallerIdentity"] = error
    (found,) = examine(needs)
    assert found.blocks
    assert says in found.way_out
    assert account.calls == ["GetCallerIdentity"]


def test_a_profile_that_is_not_there_is_said(
    account: Account, needs: Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    (found,) = examine(needs)
    assert found.blocks
    assert "nobody" in found.says


def test_the_root_user_is_warned(account: Account, needs: Needs) -> None:
    account.answers["GetCallerIdentity"]["Arn"] = "arn:aws:iam::123456789012:root"
    findings = examine(needs)
    assert about(findings, "credentials").verdict is Verdict.WARNING
    assert about(findings, "permissions").verdict is Verdict.OK
    assert "SimulatePrincipalPolicy" not in account.calls


@pytest.mark.parametrize(
    ("quotas", "says"),
    [
        ([quota(SPOT, 0)], "it is zero"),
        ([quota(SPOT, 4)], "4 of the 9 jobs"),
        ([quota("ml.m5.2xlarge for training job usage", 50)], "it is zero"),
    ],
    ids=["none", "few", "another"],
)
def test_a_quota_that_is_too_small_names_the_request(
    account: Account, needs: Needs, quotas: list[dict[str, Any]], says: str
) -> None:
    account.answers["ListServiceQuotas"] = {"Quotas": quotas}
    found = about(examine(needs), "quota")
    assert found.blocks
    assert says in found.says
    assert "request-service-quota-increase" in found.way_out
    assert "L-1234ABCD --desired-value 9" in found.way_out


def test_an_instance_that_there_is_no_quota_of_is_said(account: Account, needs: Needs) -> None:
    account.answers["ListAWSDefaultServiceQuotas"] = {"Quotas": []}
    account.answers["ListServiceQuotas"] = {"Quotas": []}
    assert "no such quota" in about(examine(needs), "quota").says


@pytest.mark.parametrize(
    ("answer", "verdict", "says"),
    [
        ({"ProductionAccessEnabled": False}, Verdict.FAILED, "sandbox"),
        ({"SendingEnabled": False}, Verdict.FAILED, "paused"),
        ({"SendQuota": {"Max24HourSend": 0.0}}, Verdict.FAILED, "0 mails a day"),
        ({"SendQuota": {"Max24HourSend": -1.0}}, Verdict.OK, "out of the sandbox"),
    ],
)
def test_mail_that_would_not_arrive_is_said(
    account: Account, needs: Needs, answer: dict[str, Any], verdict: Verdict, says: str
) -> None:
    account.answers["GetAccount"] = sandboxed(**answer)
    found = about(examine(needs), "mail")
    assert found.verdict is verdict
    assert says in found.says


def test_in_the_sandbox_recipients_can_be_verified(account: Account) -> None:
    account.answers["GetAccount"] = sandboxed(ProductionAccessEnabled=False)
    found = about(examine(read_needs(ROOT, "dev")), "mail")
    assert found.verdict is Verdict.WARNING
    assert "confirm" in found.says


def test_a_new_account_has_too_few_executions_to_reserve(account: Account, needs: Needs) -> None:
    account.answers["GetAccountSettings"] = limit(10)
    found = about(examine(needs), "concurrent")
    assert found.blocks
    assert "reservedConcurrency" in found.way_out
    assert about(examine(read_needs(ROOT, "dev")), "concurrent").verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("mode", "recorder", "verdict", "told"),
    [
        ("full", None, Verdict.OK, "room for trading-prod-recorder"),
        ("full", "trading-prod-recorder", Verdict.OK, "the environment's own"),
        ("full", "default", Verdict.FAILED, "trading:awsConfig to rules"),
        ("full", "trading-staging-recorder", Verdict.FAILED, "trading:awsConfig to rules"),
        ("rules", "default", Verdict.OK, "what default records"),
        ("rules", None, Verdict.FAILED, "trading:awsConfig to full"),
        ("rules", "trading-prod-recorder", Verdict.FAILED, "goes with this setting"),
        ("'off'", None, Verdict.OK, "does not use it"),
        ("off", "default", Verdict.OK, "does not use it"),
    ],
)
def test_the_one_recorder_of_a_region_is_there_where_it_is_needed_and_only_there(
    account: Account, tmp_path: Path, mode: str, recorder: str | None, verdict: Verdict, told: str
) -> None:
    whole = (ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8")
    assert "awsConfig: full" in whole
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(whole.replace("awsConfig: full", f"awsConfig: {mode}"), encoding="utf-8")
    recorders = [] if recorder is None else [{"name": recorder}]
    account.answers["DescribeConfigurationRecorders"] = {"ConfigurationRecorders": recorders}
    found = about(examine(read_needs(tmp_path, "prod")), "AWS Config")
    assert found.verdict is verdict
    assert told in f"{found.says}; {found.way_out}"


def test_what_may_not_be_done_is_named(account: Account, needs: Needs) -> None:
    account.denied = {"iam:CreateRole", "kms:CreateKey"}
    found = about(examine(needs), "permissions")
    assert found.blocks
    assert "role/deployer may not iam:CreateRole, kms:CreateKey" in found.says
    account.denied = set(DEPLOYING)
    assert f"and {len(DEPLOYING) - 10} more" in about(examine(needs), "permissions").says


def test_a_region_that_is_not_opted_in_ends_it(account: Account, needs: Needs) -> None:
    account.answers["DescribeRegions"] = {"Regions": [{"OptInStatus": "not-opted-in"}]}
    found = examine(needs)[-1]
    assert found.blocks
    assert "enable-region" in found.way_out
    assert "ListServiceQuotas" not in account.calls


@pytest.mark.parametrize(
    ("operation", "check"),
    [
        ("DescribeRegions", "region"),
        ("SimulatePrincipalPolicy", "permissions"),
        ("ListServiceQuotas", "quota"),
        ("GetAccountSettings", "concurrent"),
        ("GetAccount", "mail"),
        ("DescribeConfigurationRecorders", "AWS Config"),
        ("ListTables", "service dynamodb"),
    ],
)
def test_what_may_not_be_asked_is_unknown_and_not_a_failure(
    account: Account, needs: Needs, operation: str, check: str
) -> None:
    account.refuse(operation, "AccessDeniedException")
    found = about(examine(needs), check)
    assert found.verdict is Verdict.UNKNOWN
    assert found.way_out


def test_a_service_that_the_account_has_not_is_a_failure(account: Account, needs: Needs) -> None:
    account.refuse("ListTrainingJobs", "SubscriptionRequiredException")
    assert about(examine(needs), "service sagemaker").blocks


def test_the_role_of_a_session_is_who_is_asked_about() -> None:
    session = "arn:aws:sts::1:assumed-role/deployer/me"
    assert principal_of(session) == "arn:aws:iam::1:role/deployer"
    assert principal_of("arn:aws:iam::1:user/me") == "arn:aws:iam::1:user/me"


def test_needs_are_those_of_the_environment(tmp_path: Path) -> None:
    assert read_needs(ROOT, "prod").training_jobs == 9
    assert read_needs(ROOT, "dev").training_jobs == 3
    with pytest.raises(ConfigurationError, match="there are dev, prod, staging"):
        read_needs(ROOT, "nowhere")
    for text, said in (("[", "cannot be read"), ("[]", "config"), ("config: []", "config")):
        (tmp_path / "Pulumi.broken.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=said):
            read_needs(tmp_path, "broken")


def test_the_command_tells_it(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "--aws", *arguments])
        return int(ended.value.code or 0)

    assert run() == 0
    assert "FAIL" not in capsys.readouterr().out
    account.answers["ListServiceQuotas"] = {"Quotas": [quota(SPOT, 1)]}
    assert run("--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert run("--stack", "dev") == 1
    shown = capsys.readouterr().out
    assert "FAIL  quota: ml.m5.2xlarge" in shown
    assert "1 failed" in shown
    assert run("--stack", "nowhere") == 2
