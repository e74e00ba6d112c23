import pytest

from stackcheck.recording import STACKS, Recording, record


@pytest.fixture(scope="session")
def dev() -> Recording:
    """What the program registers for development."""
    return record("dev")


@pytest.fixture(scope="session")
def prod() -> Recording:
    """What the program registers for production."""
    return record("prod")


@pytest.fixture(params=STACKS, scope="session")
def recording(request: pytest.FixtureRequest) -> Recording:
    """What the program registers, for each environment."""
    if request.param in {"dev", "prod"}:
        found: Recording = request.getfixturevalue(request.param)
        return found
    return record(request.param)
