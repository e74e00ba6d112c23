"""The image of the functions: every handler starts in it as Lambda starts it, and answers."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pytest
from image_replay import ROOT, Stage, replay
from lambda_runtime import ask
from moto.server import ThreadedMotoServer

from stacks.functions_catalogue import FUNCTIONS

STORES = ("DATA", "MODELS", "RUNS")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return replay("functions", tmp_path_factory.mktemp("functions"))


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment of a function, with a ledger and empty stores."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    stores = tmp_path_factory.mktemp("stores")
    named = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "TRADING_IDEMPOTENCY_TABLE": "idempotency",
        "TRADING_LEDGER_TABLE": "ledger",
        **{f"TRADING_{name}_STORE": str(stores / name.lower()) for name in STORES},
    }
    client = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=named["AWS_ENDPOINT_URL"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.create_table(
        TableName="ledger",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    yield named
    server.stop()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_handler_starts_and_answers(image: Stage, variables: Mapping[str, str]) -> None:
    answers = {name: ask(image, f"functions.{name}.handler", {}, variables) for name in FUNCTIONS}
    wrong = {
        name: answer
        for name, (kind, answer) in answers.items()
        if kind not in {"response", "error"}
    }
    assert wrong == {}
    kind, healthy = answers["api_health"]
    assert (kind, healthy["statusCode"]) == ("response", 200)
    found = json.loads(healthy["body"])
    assert {check["found"] for check in found["checks"]} == {
        "no month has run yet",
        "no session is stored yet",
    }
    kind, refused = answers["rank"]
    assert (kind, refused["errorType"]) == ("error", "MonthError")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_handler_that_is_not_in_the_image_is_found_out(
    image: Stage, variables: Mapping[str, str]
) -> None:
    kind, answer = ask(image, "functions.nothing.handler", {}, variables)
    assert (kind, answer["errorType"]) == ("init", "Runtime.ImportModuleError")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_comes_from_the_checkout_and_no_training_library_is_there(image: Stage) -> None:
    program = (
        "import sys, importlib.util as u, trading, functions, trading.strategy.registry\n"
        "print(trading.__file__); print(functions.__file__)\n"
        "print([n for n in ('torch', 'stable_baselines3', 'finrl', 'streamlit', 'moto', 'pip')"
        " if u.find_spec(n)])\n"
        f"print([p for p in sys.path if p.startswith({str(ROOT)!r})])\n"
    )
    python = Path(image.command()[0])
    done = subprocess.run(
        [python, "-c", program],
        cwd=image.inside("."),
        env=image.variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    package, handlers, found, checkout = done.stdout.splitlines()
    assert package.startswith(str(image.root))
    assert handlers.startswith(str(image.root))
    assert (found, checkout) == ("[]", "[]")
