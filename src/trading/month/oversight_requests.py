"""What the stations are given that watch beside the signals."""

from trading.month.payloads import Champion, Context, MonthRun, Payload, Prepared, Scored


class ShadowRequest(Payload):
    """Score the challengers in shadow."""

    month: MonthRun
    prepared: Prepared
    context: Context
    champion: Champion


class DriftRequest(Payload):
    """Hold the month against what the champion learnt from."""

    month: MonthRun
    context: Context
    champion: Champion
    scored: tuple[Scored, ...]
