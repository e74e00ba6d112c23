"""Grants that were used, grants that were not, and the reasons for those."""

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.errors import CloudError
from localcloud.identity.grants import (
    Explanation,
    Grant,
    explanations,
    granted,
    judge_grants,
    unused,
)
from localcloud.identity.usage import USAGE, Refusal, keep_usage, load_usage, save_usage

ROLE_POLICY: dict[str, Any] = {
    "type": "aws:iam/rolePolicy:RolePolicy",
    "id": "score:inline",
    "shown": {
        "role": "score",
        "name": "inline",
        "policy": json.dumps(
            {
                "Statement": [
                    {
                        "Sid": "Read",
                        "Effect": "Allow",
                        "Action": ["s3:GetObject", "s3:Put*"],
                        "Resource": "arn:aws:s3:::runs/*",
                    },
                    {"Effect": "Deny", "Action": "*", "Resource": "*"},
                ]
            }
        ),
    },
}
PERMISSION = {
    "type": "aws:lambda/permission:Permission",
    "id": "score/rule",
    "shown": {
        "function": "score",
        "statementId": "rule",
        "action": "lambda:InvokeFunction",
        "principal": "events.amazonaws.com",
    },
}
DEPLOYMENT = {"resources": {"a": ROLE_POLICY, "b": PERMISSION}}


def decision(statement: str | None, action: str, resource: str, **more: Any) -> dict[str, Any]:
    found = {"statement": statement, "action": action, "resource": resource}
    return {**found, "decision": "allowed", **more}


def test_each_action_and_resource_of_an_allow_is_a_grant() -> None:
    assert granted(DEPLOYMENT) == [
        Grant("policy of score#rule", "action", "lambda:InvokeFunction"),
        Grant("score/inline#Read", "action", "s3:GetObject"),
        Grant("score/inline#Read", "action", "s3:Put*"),
        Grant("score/inline#Read", "resource", "arn:aws:s3:::runs/*"),
    ]


def test_a_grant_is_used_by_its_own_statement_only() -> None:
    function = "arn:aws:lambda:us-east-1:1:function:score"
    audit = [
        decision("score/inline#Read", "s3:getobject", "arn:aws:s3:::runs/a"),
        decision("other/inline#Read", "s3:PutObject", "arn:aws:s3:::runs/a"),
        decision("score/inline#Read", "s3:PutObject", "arn:aws:s3:::runs/a", decision="denied"),
        decision(None, "s3:PutObject", "arn:aws:s3:::runs/a", decision="denied"),
        decision("policy of score#rule", "lambda:InvokeFunction", function),
    ]
    left = unused(granted(DEPLOYMENT), audit)
    assert left == [Grant("score/inline#Read", "action", "s3:Put*")]
    assert len(unused(granted(DEPLOYMENT), [])) == 4


def test_an_explanation_covers_what_its_patterns_name() -> None:
    grant = Grant("score/inline#Trace", "action", "xray:PutTraceSegments")
    assert Explanation("*#Trace", "*", "r").covers(grant)
    assert Explanation("score/*", "xray:*", "r").covers(grant)
    assert not Explanation("*#Trace", "s3:*", "r").covers(grant)


def test_every_grant_is_used_or_explained_or_told() -> None:
    grants = granted(DEPLOYMENT)
    audit = [decision("score/inline#Read", "s3:GetObject", "arn:aws:s3:::runs/a")]
    rule = Explanation("policy of score#rule", "*", "why")
    found = judge_grants(grants, audit, [rule])
    assert [one.pattern for one in found.used] == ["s3:GetObject", "arn:aws:s3:::runs/*"]
    assert [one.statement for one in found.explained] == ["policy of score#rule"]
    assert found.unexplained == [Grant("score/inline#Read", "action", "s3:Put*")]
    assert found.stale == []


def test_an_explanation_of_what_is_used_or_not_granted_is_stale() -> None:
    audit = [decision("score/inline#Read", "s3:GetObject", "arn:aws:s3:::runs/a")]
    used = Explanation("score/inline#Read", "s3:GetObject", "of what is used")
    wide = Explanation("score/inline#Read", "s3:*", "of what is used, too")
    gone = Explanation("rank/inline#Read", "*", "of what nothing grants")
    elsewhere = Explanation("rank/inline#Trail", "*", "of what prod alone grants", "prod")
    found = judge_grants(granted(DEPLOYMENT), audit, [used, wide, gone, elsewhere])
    assert found.stale == [used, wide, gone]


def test_the_explanations_are_sentences() -> None:
    found = explanations()
    assert found
    assert all(one.reason.strip().endswith(".") for one in found)
    assert len({(one.statement, one.pattern) for one in found}) == len(found)


def test_explanations_in_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "reasons.yaml"
    path.write_text("- statement: x\n")
    with pytest.raises(CloudError, match="must list statement, pattern and reason"):
        explanations(path)


def test_many_homes_together_prove_what_each_alone_does_not(tmp_path: Path) -> None:
    ids = ("3ba7ccd6-7612-4de5-bfe5-55646f419b80", "9296dc8e-a89c-4224-8463-3f2205d834fd")
    actions = ("s3:GetObject", "s3:PutObject")
    for name, key, action in zip(("one", "two"), ids, actions, strict=True):
        home = tmp_path / name
        home.mkdir()
        resource = f"arn:aws:s3:::runs/{key}"
        policy = json.loads(ROLE_POLICY["shown"]["policy"])
        policy["Statement"][0]["Resource"] = resource
        shown = {**ROLE_POLICY["shown"], "policy": json.dumps(policy)}
        state = {"resources": {"a": {**ROLE_POLICY, "shown": shown}}}
        (home / "deployment.json").write_text(json.dumps(state))
        line = decision("score/inline#Read", action, resource)
        (home / "audit.jsonl").write_text(json.dumps(line) + "\n")
        assert len(unused(granted(state), [line])) == 1
        save_usage(home, tmp_path / "usage")
    usage = load_usage(tmp_path / "usage")
    assert unused(usage.grants, usage.used) == []
    assert usage.homes == {str(tmp_path / "one"), str(tmp_path / "two")}
    save_usage(tmp_path / "never-deployed", tmp_path / "usage")
    assert len(list((tmp_path / "usage").iterdir())) == 2


def test_secrets_of_different_homes_are_one(tmp_path: Path) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:1:secret:trading-dev/providers/alpha_vantage"
    policy = {"Statement": [{"Sid": "S", "Effect": "Allow", "Action": "a:B", "Resource": ""}]}
    for suffix in ("WljEga", "drNGdR"):
        home = tmp_path / suffix
        home.mkdir()
        policy["Statement"][0]["Resource"] = f"{secret}-{suffix}"
        shown = {"role": "r", "name": "n", "policy": json.dumps(policy)}
        entry = {**ROLE_POLICY, "shown": shown}
        (home / "deployment.json").write_text(json.dumps({"resources": {"a": entry}}))
        (home / "audit.jsonl").write_text("")
        save_usage(home, tmp_path / "usage")
    usage = load_usage(tmp_path / "usage")
    assert [one.pattern for one in usage.grants if one.kind == "resource"] == [f"{secret}-ID"]
    assert usage.used == []


def test_refusals_are_kept_with_their_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "deployment.json").write_text(json.dumps(DEPLOYMENT))
    caller = {"principal": "arn:aws:sts::1:assumed-role/score/x"}
    lines = [
        decision(None, "s3:GetObject", "arn:aws:s3:::data/a", decision="denied", **caller),
        decision(None, "s3:GetObject", "arn:aws:s3:::data/a", decision="denied", **caller),
        decision("score/inline#Read", "s3:GetObject", "arn:aws:s3:::runs/a", **caller),
    ]
    (home / "audit.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.delenv(USAGE, raising=False)
    keep_usage(home)
    monkeypatch.setenv(USAGE, str(tmp_path / "usage"))
    keep_usage(home)
    usage = load_usage(tmp_path / "usage")
    refused = Refusal(str(home), caller["principal"], "s3:GetObject", "arn:aws:s3:::data/a")
    assert usage.refused == [refused]
    assert [one["resource"] for one in usage.used] == ["arn:aws:s3:::runs/a"]
