"""What a reader must know before any figure: on which data it rests, and under which rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from trading.execution.settings import CommissionSettings, ExecutionSettings, SlippageSettings
from trading.risk.settings import LimitSettings, RiskSettings

SURVIVORSHIP = (
    "Survivorship: the universe is who is in the data today or was chosen once; names that left "
    "the market earlier may be missing, which flatters every long strategy."
)
FILL_WORDS = {
    "same_close": "at the close of the bar that was decided on",
    "next_open": "at the open of the next bar",
    "next_close": "at the close of the next bar",
}


@dataclass(frozen=True)
class RunDescription:
    """What the result itself does not know about its run.

    Attributes
    ----------
    universe : in words, as in "all 2,859 symbols of the bars"
    source : where the bars come from, in words
    simulated : whether the market is invented; every page and table says so
    benchmark : name of the benchmark, empty without one
    warnings : what makes the figures less true than they look, one sentence each
    command : the command line that repeats the run, empty when there is none
    """

    universe: str
    source: str
    simulated: bool
    benchmark: str = ""
    warnings: tuple[str, ...] = ()
    command: str = ""


def fill_words(settings: ExecutionSettings) -> str:
    """Return the fill timing, as in "next_open: market orders fill at the open of the next bar"."""
    return f"{settings.fill}: market orders fill {FILL_WORDS[settings.fill]}"


def order_words(settings: ExecutionSettings) -> str:
    """Return which orders a target becomes, and how much of a bar they may take."""
    policy = settings.order
    words = f"{policy.type.replace('_', ' ')} orders, {policy.time_in_force}"
    if "limit" in policy.type:
        words += f", limit {policy.limit_offset_bps:g} bps away"
    if "stop" in policy.type:
        words += f", stop {policy.stop_offset_bps:g} bps away"
    share = settings.max_volume_share
    limit = "no limit of volume" if share is None else f"at most {share:.0%} of a bar's volume"
    lots = "fractional shares" if settings.fractional else "whole shares"
    return f"{words}; {limit}; {lots}"


def cost_words(settings: ExecutionSettings) -> str:
    """Return commission, slippage and borrow cost in one sentence."""
    parts = [_commission(settings.commission), _slippage(settings.slippage)]
    if settings.account == "margin":
        parts.append(f"shorts pay {settings.borrow_rate:.2%} a year")
    return "; ".join(parts)


def account_words(settings: ExecutionSettings) -> str:
    """Return kind and size of the account."""
    return f"{settings.account} account of {settings.initial_cash:,.0f} USD"


def limit_words(settings: RiskSettings) -> tuple[str, ...]:
    """Return the limits in force, one phrase each."""
    words = [
        f"{name.replace('_', ' ')} {value.limit:g} ({value.action})"
        for name, value in settings
        if isinstance(value, LimitSettings)
    ]
    if settings.max_drawdown is not None:
        words.append(f"max drawdown {settings.max_drawdown:.0%} (halt)")
    if settings.stop_loss is not None:
        words.append(f"stop loss {settings.stop_loss:.0%}")
    if settings.take_profit is not None:
        words.append(f"take profit {settings.take_profit:.0%}")
    return tuple(words)


def _commission(settings: CommissionSettings) -> str:
    minimum = f", at least {settings.minimum:g} USD" if settings.minimum else ""
    if settings.model == "none":
        return "no commission"
    if settings.model == "bps":
        return f"commission {settings.rate:g} bps{minimum}"
    if settings.model == "per_trade":
        return f"commission {settings.rate:g} USD a fill"
    if settings.model == "per_share":
        return f"commission {settings.rate:g} USD a share{minimum}"
    tiers = ", ".join(f"{t.per_share:g} from {t.from_shares:,}" for t in settings.tiers)
    return f"commission a share in tiers ({tiers}){minimum}"


def _slippage(settings: SlippageSettings) -> str:
    if settings.model == "none":
        return "no slippage"
    if settings.model == "fixed":
        return f"slippage {settings.bps:g} bps"
    curve = {
        "volume_share": "participation squared",
        "square_root": "daily volatility x the root of participation",
    }[settings.model]
    return f"slippage {settings.bps:g} bps + {settings.coefficient:g} x {curve}"


def assumption_warnings(execution: ExecutionSettings) -> Sequence[str]:
    """Return a sentence for each setting that makes the result kinder than trading would be."""
    warnings = []
    if execution.fill == "same_close":
        warnings.append(
            "Fill same_close: orders fill at the very price they were decided on, which nobody can "
            "do; compare with next_open."
        )
    if execution.commission.model == "none" and execution.slippage.model == "none":
        warnings.append("Costs: neither commission nor slippage is charged.")
    if execution.max_volume_share is None:
        warnings.append("Volume: orders may take more shares than the market traded.")
    return tuple(warnings)
