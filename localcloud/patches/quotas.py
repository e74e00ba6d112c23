"""Quotas inside moto that are not AWS's: 25,000 events of an execution, 100 items of a transaction.

moto lets the history of an execution grow for ever, and takes 25 items in a transaction. On AWS an
execution fails for good when its history is full: no Catch helps, since the state that it leads to
fails the same way.
"""

from typing import Any

from moto.dynamodb import responses
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

from localcloud.patches.replacements import Replacements
from localcloud.quotas import TRANSACTION_ITEMS

HISTORY_EVENTS = 25_000
_eval_in_moto = CommonStateField._eval_body


def install(replacements: Replacements) -> None:
    """Check the history as each state is entered, and set the size of transactions."""
    replacements.replace(CommonStateField, "_eval_body", _eval)
    replacements.replace(responses, "TRANSACTION_MAX_ITEMS", TRANSACTION_ITEMS)


def _eval(state: Any, env: Any) -> None:
    if env.event_manager._event_id_gen._next_id > HISTORY_EVENTS:
        cause = f"The execution reached the maximum number of history events ({HISTORY_EVENTS})."
        env.set_error({"error": "States.Runtime", "cause": cause})
        return
    _eval_in_moto(state, env)
