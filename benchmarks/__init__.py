"""Measurements beside other engines; nothing in the product imports this."""
