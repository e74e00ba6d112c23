import asyncio
import json
import re
from pathlib import Path

import pytest

from stacks.policies import WILDCARD_REASONS, Statement, document, require_tls, trust

ROOT = Path(__file__).parents[2]


def test_a_statement_on_everything_needs_a_written_reason() -> None:
    with pytest.raises(ValueError, match="Greedy covers every resource"):
        Statement("Greedy", ["s3:GetObject"], ["*"])
    Statement("Trace", ["xray:PutTraceSegments"], ["*"])
    assert all(reason.endswith(".") for reason in WILDCARD_REASONS.values())


def test_a_document_is_what_iam_reads() -> None:
    async def build() -> dict[str, object]:
        found = await document([Statement("Read", ["s3:GetObject"], ["arn:aws:s3:::b/*"])]).future()
        assert isinstance(found, str)
        loaded = json.loads(found)
        assert isinstance(loaded, dict)
        return loaded

    assert asyncio.run(build()) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Read",
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::b/*"],
            }
        ],
    }


def test_a_sid_is_used_once() -> None:
    twice = Statement("Read", ["s3:GetObject"], ["arn:aws:s3:::b/*"])
    with pytest.raises(ValueError, match="its own"):
        document([twice, twice])


def test_trust_can_be_limited_to_an_account() -> None:
    async def build() -> tuple[str | None, str | None]:
        limited = await trust("states.amazonaws.com", "123456789012").future()
        return limited, await trust("lambda.amazonaws.com").future()

    limited, free = asyncio.run(build())
    condition = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert json.loads(str(limited))["Statement"][0]["Condition"] == condition
    assert "Condition" not in json.loads(str(free))["Statement"][0]


def test_requests_without_tls_are_denied_to_everyone() -> None:
    statement = require_tls(["s3:*"], ["arn:aws:s3:::b"]).to_dict()
    assert statement["Principal"] == "*"
    assert statement["Effect"] == "Deny"


def test_the_reasons_stand_in_the_documentation() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    table = text[text.index("| statement | reason |") : text.index("**Proof.**")]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE))
    assert rows == dict(WILDCARD_REASONS)
