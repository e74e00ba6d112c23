"""Ask the operator to approve a challenger; the execution waits for the decision."""

from functions.station import station
from trading.month.approval import ApprovalRequest, ask_approval

handler = station(ask_approval, ApprovalRequest)
