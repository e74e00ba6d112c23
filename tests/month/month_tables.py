"""Tables and stores of a month, for tests."""

from pathlib import Path

import boto3

from trading.config import Settings
from trading.month.resources import Resources

TABLES = {
    "ledger": ("pk", "sk"),
    "signals": ("month", "symbol"),
    "performance": ("month",),
    "idempotency": ("id",),
}


def make_tables(prefix: str = "") -> None:
    client = boto3.client("dynamodb")
    for table, keys in TABLES.items():
        client.create_table(
            TableName=prefix + table,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName=f"{prefix}models")


def resources_at(folder: Path, settings: Settings, prefix: str = "", **more: str) -> Resources:
    names = {f"TRADING_{name.upper()}_TABLE": prefix + name for name in TABLES}
    names |= {
        f"TRADING_{name.upper()}_STORE": str(folder / name) for name in ("data", "models", "runs")
    }
    names |= {
        "TRADING_MODEL_GROUP": f"{prefix}models",
        "TRADING_TRAINING_IMAGE": "123456789012.dkr.ecr.us-east-1.amazonaws.com/training:test",
    }
    return Resources(settings, names | more)
