from collections.abc import Callable

import pytest

from stackcheck.recording import STACKS, Recording

Recorded = Callable[..., Recording]


@pytest.fixture(scope="session")
def dev(recorded: Recorded) -> Recording:
    """What the program registers for development."""
    return recorded("dev")


@pytest.fixture(scope="session")
def staging(recorded: Recorded) -> Recording:
    """What the program registers for staging."""
    return recorded("staging")


@pytest.fixture(scope="session")
def prod(recorded: Recorded) -> Recording:
    """What the program registers for production."""
    return recorded("prod")


@pytest.fixture(params=STACKS, scope="session")
def recording(request: pytest.FixtureRequest) -> Recording:
    """What the program registers, for each environment."""
    found: Recording = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def unusual(recorded: Recorded) -> Recording:
    """Development with a front door for two ranges, a NAT gateway, and AWS Config's rules only."""
    dashboard = {
        "domain": "dashboard.trading.example",
        "certificate": "arn:aws:acm:us-east-1:123456789012:certificate/1",
        "admitted": ["192.0.2.0/24", "198.51.100.7/32"],
        "nat": True,
    }
    return recorded("dev", dashboard=dashboard, awsConfig="rules")
