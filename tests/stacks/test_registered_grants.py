"""What the embedded cloud proves of development's grants holds for the other environments."""

import json
import re

from localcloud.identity.grants import Grant, explanations, granted
from stackcheck.recording import Recording


def grants_of(recording: Recording) -> dict[Grant, Grant]:
    """Return every grant, by itself as it would be called in development."""
    resources = {
        one.urn: {"type": one.type, "id": one.name, "shown": one.inputs, "outputs": one.outputs}
        for one in recording.resources
    }
    found = granted({"resources": resources})
    return {Grant(*json.loads(as_in_dev(grant, recording.stack))): grant for grant in found}


def as_in_dev(grant: Grant, environment: str) -> str:
    text = json.dumps([grant.statement, grant.kind, grant.pattern])
    named = text.replace(f"trading-{environment}", "trading-dev")
    return re.sub(r"(:identity/)(signals@)?(staging\.)?trading\.example", r"\1sender", named)


def test_what_development_does_not_grant_is_explained(dev: Recording, recording: Recording) -> None:
    proven = grants_of(dev)
    more = [grant for name, grant in grants_of(recording).items() if name not in proven]
    reasons = [why for why in explanations() if why.environment == recording.stack]
    assert [grant for grant in more if not any(why.covers(grant) for why in reasons)] == []
    assert [why for why in reasons if not any(map(why.covers, more))] == []
