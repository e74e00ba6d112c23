import pytest
from stack_recorder import Recording, record


@pytest.fixture(scope="session")
def dev() -> Recording:
    """What the program registers for development."""
    return record("dev")


@pytest.fixture(scope="session")
def prod() -> Recording:
    """What the program registers for production."""
    return record("prod")
