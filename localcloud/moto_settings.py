"""How moto is set up, before any of its services is imported."""

import os
from importlib.metadata import version

from localcloud.context import ACCOUNT
from localcloud.errors import PatchError

MOTO_VERSION = "5.2.5"
_BUFFER_BYTES = 2 << 30


def configure_moto(port: int) -> None:
    """Fix the account, run state machines for real, and keep object bodies out of /tmp.

    Raises `PatchError` when another release of moto is installed: the adapters stand on its
    insides.
    """
    installed = version("moto")
    if installed != MOTO_VERSION:
        raise PatchError(
            f"moto {MOTO_VERSION} is expected and {installed} is installed; install the pinned "
            "release (requirements.lock), or port localcloud/patches to the new one"
        )
    os.environ.update(
        MOTO_ACCOUNT_ID=ACCOUNT,
        MOTO_PORT=str(port),
        # bodies stay in memory until the journal has them, then they are read from its files
        MOTO_S3_DEFAULT_KEY_BUFFER_SIZE=str(_BUFFER_BYTES),
    )
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    default_user_config["lambda"] = {"use_docker": False}
    default_user_config["batch"] = {"use_docker": False}
