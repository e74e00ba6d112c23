"""What the dashboard reads of a deployed cloud, with the permissions of its own role."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from trading_home import OpenCloud

REPOSITORY = Path(__file__).parents[2]
ROLE = "trading-dev-dashboard"
READS = """
import json, sys
from streamlit_app import loading

view = loading.month_view(sys.argv[1])
print(json.dumps({
    "months": [one.month for one in loading.history()],
    "signals": len(view.signals),
    "report": view.report is not None,
    "champion": loading.champion().version,
    "run": loading.last_run().month,
    "stages": [stage.name for stage in loading.stages(sys.argv[2])],
}))
"""


def read_as_dashboard(cloud: OpenCloud, month: str, execution: str) -> dict[str, Any]:
    """Return what the page reads of a month; its role is lent to the operator for this."""
    keys = credentials(cloud)
    names = {
        "TRADING_RUNS_STORE": cloud.outputs["runs_store"],
        "TRADING_LEDGER_TABLE": cloud.outputs["ledger_table"],
        "TRADING_SIGNALS_TABLE": cloud.outputs["signals_table"],
        "TRADING_PERFORMANCE_TABLE": cloud.outputs["performance_table"],
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_DEFAULT_REGION": cloud.session.region_name,
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "TRADING_", "COV_"))}
    ran = subprocess.run(
        [sys.executable, "-c", READS, month, execution],
        cwd=REPOSITORY,
        env={**kept, **names},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    read: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return read


def credentials(cloud: OpenCloud) -> dict[str, str]:
    """Return a session's keys of the dashboard's role, which only ECS may assume otherwise."""
    iam, sts = cloud.client("iam"), cloud.client("sts")
    role = iam.get_role(RoleName=ROLE)["Role"]
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": sts.get_caller_identity()["Account"]},
        "Action": "sts:AssumeRole",
    }
    lent = {"Version": "2012-10-17", "Statement": [trust]}
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(lent))
    keys: dict[str, str] = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="page")[
        "Credentials"
    ]
    held = json.dumps(role["AssumeRolePolicyDocument"])
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=held)
    return keys
