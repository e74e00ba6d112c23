"""Repairs of market data: made only where they can be proved, recorded, and reversible."""

from trading.data.repairs.dividends import repair_dividends
from trading.data.repairs.levels import repair_levels
from trading.data.repairs.record import Repair, RepairResult, revert
from trading.data.repairs.repair import repair_bars

__all__ = ["Repair", "RepairResult", "repair_bars", "repair_dividends", "repair_levels", "revert"]
