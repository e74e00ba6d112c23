"""Whether everything that the program names by ARN is something that it registers."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from stackcheck.placeholders import ACCOUNT, PLACE
from stackcheck.recording import Recorded, Recording

ARN = re.compile(
    r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12})?:[^\s\"',;}\]]+|arn:aws:s3:::[^\s\"',]+"
)
# What AWS or the running system makes, and no program registers; each with who makes it.
MADE_ELSEWHERE: Mapping[str, str] = {
    f"arn:aws:iam::{ACCOUNT}:root": "the account itself",
    "arn:aws:iam::aws:policy/*": "AWS's managed policies",
    f"arn:aws:sagemaker:{PLACE}:training-job/*": "the state machine of the month",
    f"arn:aws:sagemaker:{PLACE}:model-package/*": "the state machine of the month",
    f"arn:aws:logs:{PLACE}:log-group:/aws/sagemaker/TrainingJobs*": "SageMaker",
    f"arn:aws:events:{PLACE}:event-bus/default": "every account has it",
    f"arn:aws:acm:{PLACE}:certificate/*": "the operator, who names it in the configuration",
    "arn:aws:s3:::prod-*-starport-layer-bucket/*": "the registry's own layers",
    "arn:aws:states:::*": "Step Functions' own integrations",
    f"arn:aws:events:{PLACE}:rule/StepFunctions*": "Step Functions, to follow `.sync` tasks",
}


@dataclass(frozen=True)
class Dangling:
    """A reference to what is not registered."""

    urn: str
    path: str
    arn: str

    def __str__(self) -> str:
        return f"{self.urn.rpartition('::')[2]} {self.path}: nothing registers {self.arn}"


def dangling(recording: Recording) -> list[Dangling]:
    """Return every ARN of a recorded stack that names nothing."""
    registered = [
        str(one.outputs[key])
        for one in recording.aws
        for key in ("arn", "executionArn", "qualifiedArn")
        if isinstance(one.outputs.get(key), str)
    ]
    # An execution is named after its state machine, a schedule after its group.
    registered += [
        arn.replace(old, new)
        for arn in registered
        for old, new in (
            (":stateMachine:", ":execution:"),
            (":schedule-group/", ":schedule/"),
            (":model-package-group/", ":model-package/"),
        )
        if old in arn
    ]
    return [
        Dangling(one.urn, path, arn)
        for one in recording.aws
        for path, arn in arns(one)
        if not any(_names(arn, known) for known in (*registered, *MADE_ELSEWHERE))
    ]


def arns(resource: Recorded) -> Iterator[tuple[str, str]]:
    """Yield every ARN in the inputs of a resource, and where it stands."""
    for path, text in _texts(resource.inputs, ""):
        for found in ARN.findall(text):
            yield path, found.rstrip(".")


def _names(arn: str, known: str) -> bool:
    """Whether an ARN, which may be a pattern, names a known one or something inside it."""
    if fnmatchcase(arn, known) or fnmatchcase(known, arn):
        return True
    return arn.startswith(known) and arn[len(known)] in ":/*"


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if value[:1] in "{[":
            try:
                yield from _texts(json.loads(value), path)
            except json.JSONDecodeError:
                yield path, value
            return
        yield path, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(key, path)
            yield from _texts(one, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _texts(one, f"{path}[{index}]")
