"""Corporate actions: their table, what they do to prices, symbols through time, delistings."""

from trading.data.actions.table import ACTIONS_KEY, decode_actions, encode_actions, merge_actions

__all__ = ["ACTIONS_KEY", "decode_actions", "encode_actions", "merge_actions"]
