"""FinRL's stock trading environment on the one simulator: its arguments, frames and agents.

`FinRLTradingEnv` takes what FinRL's `StockTradingEnv` (0.3.7, `env_stocktrading`) takes and is used
in its place: state, actions, reward and memories are laid out as there, and FinRL's `DRLAgent`
trains and predicts on it. What differs:

- all stocks are traded at once, on arrays: thousands of them, not dozens;
- returns and costs are those of `backtest.holding.hold`: costs are paid out of all that is held
  (second order), and purchases beyond the cash are cut in proportion, not by the order of actions;
- a stock without a row on some day keeps its last price and is not traded, instead of an exception;
- what the environment writes to disk there (plots, CSV files) is not written.

As there, orders fill at the close that the decision sees. `environment.PortfolioEnv`, which the
product is about, fills at the next close.
"""

from collections.abc import Sequence
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
import numpy.typing as npt
import pandas as pd
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from trading.agents.finrl_bridge import panel_from_finrl
from trading.agents.policy import Float32Array
from trading.backtest.holding import hold
from trading.errors import DataError
from trading.execution.slippage import ProportionalCosts

FloatArray = npt.NDArray[np.float64]


class FinRLTradingEnv(gymnasium.Env[Float32Array, Float32Array]):
    """One decision a day over all stocks of a FinRL frame.

    The observation is `[cash, close (N), shares (N), indicator 1 (N), ...]`, an action -1..1 a
    stock: `hmax` times it shares are bought or sold, whole ones, never more than are held. The
    reward is the change of the account's value times `reward_scaling`. `turbulence_threshold` sells
    everything on days when `risk_indicator_col` reaches it.

    Parameters
    ----------
    df : FinRL's frame: one row a `date` and `tic`, prices, volume and indicator columns
    stock_dim, action_space : number of stocks
    hmax : shares that an action of 1 trades
    initial_amount : cash in USD at the start
    num_stock_shares : shares held at the start, one number a stock
    buy_cost_pct, sell_cost_pct : fractions of the traded value, one a stock
    reward_scaling : multiplies the change of the account
    state_space : length of the observation, 1 + 2 N + indicators x N
    tech_indicator_list : columns of the frame that are observed
    turbulence_threshold, risk_indicator_col : see above; None for no threshold
    day : first day of every episode
    initial, previous_state : with `initial=False` cash and shares are taken from `previous_state`
    make_plots, print_verbosity, model_name, mode, iteration : taken, without effect

    Raises
    ------
    DataError
        The frame lacks a column, or a size does not fit it.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own attribute)

    def __init__(
        self,
        df: pd.DataFrame,
        stock_dim: int,
        hmax: float,
        initial_amount: float,
        num_stock_shares: Sequence[float],
        buy_cost_pct: Sequence[float],
        sell_cost_pct: Sequence[float],
        reward_scaling: float,
        state_space: int,
        action_space: int,
        tech_indicator_list: Sequence[str],
        turbulence_threshold: float | None = None,
        risk_indicator_col: str = "turbulence",
        make_plots: bool = False,
        print_verbosity: int = 10,
        day: int = 0,
        initial: bool = True,
        previous_state: Sequence[float] = (),
        model_name: str = "",
        mode: str = "",
        iteration: str = "",
    ) -> None:
        del make_plots, print_verbosity, model_name, mode, iteration
        panel = panel_from_finrl(df)
        self.df = _by_day(df)
        self._tics, self._days = panel.symbols, self.df["date"].drop_duplicates().tolist()
        self._price = pd.DataFrame(panel.close).ffill().to_numpy()
        self._tradable = np.isfinite(panel.close)
        self._indicators = _indicators(self.df, tech_indicator_list, self._tics)
        risk = [] if turbulence_threshold is None else [risk_indicator_col]
        self._risk = _indicators(self.df, risk, self._tics)
        self._threshold = turbulence_threshold
        size = len(self._tics)
        observed = 1 + 2 * size + size * len(tech_indicator_list)
        _require("stock_dim", stock_dim, size)
        _require("action_space", action_space, size)
        _require("state_space", state_space, observed)
        _require("the length of num_stock_shares", len(num_stock_shares), size)
        self._costs = ProportionalCosts(np.asarray(buy_cost_pct), np.asarray(sell_cost_pct))
        self._hmax, self._scaling, self._first = hmax, reward_scaling, day
        self._start = float(initial_amount), np.asarray(num_stock_shares, dtype=np.float64)
        if not initial:
            _require("the length of previous_state", len(previous_state), observed)
            before = np.asarray(previous_state, dtype=np.float64)
            self._start = float(before[0]), before[size + 1 : 2 * size + 1]
        self.observation_space = spaces.Box(-np.inf, np.inf, (observed,), dtype=np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (size,), dtype=np.float32)
        self._reward, self.trades, self.cost = 0.0, 0, 0.0
        self.asset_memory: list[float] = []
        self.actions_memory: list[FloatArray] = []
        self.date_memory: list[Any] = []
        self._begin()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start on the first day with the initial cash and shares; there are no options."""
        super().reset(seed=seed, options=options)
        self._begin()
        return self._observe(), {}

    def step(
        self, action: Float32Array
    ) -> tuple[Float32Array, SupportsFloat, bool, bool, dict[str, Any]]:
        """Trade at the day's close and hold to the next; on the last day only end the episode.

        Raises `DataError` for an action that is not finite or has another length.
        """
        if self.day >= len(self._price) - 1:
            return self._observe(), self._reward, True, False, {}
        wish = np.asarray(action, dtype=np.float64)
        if wish.shape != (len(self._tics),) or not np.isfinite(wish).all():
            raise DataError(
                f"an action needs one finite number for each of the {len(self._tics)} stocks"
            )
        before = self._account()
        start, target = self._weights(np.trunc(wish * self._hmax), before)
        price, following = self._known_price(self.day), self._known_price(self.day + 1)
        unknown = np.full(len(self._tics), np.nan)
        held = hold(
            (following / price - 1.0)[None],
            target,
            start,
            self._costs,
            unknown,
            unknown,
            nav_usd=before,
            fillable=self._tradable[self.day],
        )
        after = before * (1.0 + float(held.net_returns[0]))
        self.cost += before * float(held.costs)
        self.trades += int(np.count_nonzero(held.filled_weights != start))
        self.actions_memory.append((held.filled_weights - start) * before / price)
        self.day += 1
        self._shares = held.end_weights * after / following
        self._cash = after * (1.0 - float(held.end_weights.sum()))
        self._reward = (after - before) * self._scaling
        self.asset_memory.append(after)
        self.date_memory.append(self._days[self.day])
        return self._observe(), self._reward, False, False, {}

    def get_sb_env(self) -> tuple[DummyVecEnv, Float32Array]:
        """Return this environment as Stable-Baselines3 takes it, and its first observation."""
        wrapped = DummyVecEnv([lambda: self])
        return wrapped, np.asarray(wrapped.reset(), dtype=np.float32)

    def save_asset_memory(self) -> pd.DataFrame:
        """Return the account of the episode by day: `date`, `account_value`."""
        return pd.DataFrame({"date": self.date_memory, "account_value": self.asset_memory})

    def save_action_memory(self) -> pd.DataFrame:
        """Return the shares traded by day (index) and tic."""
        days = pd.Index(self.date_memory[:-1], name="date")
        rows = np.array(self.actions_memory).reshape(len(days), len(self._tics))
        return pd.DataFrame(rows, index=days, columns=list(self._tics))

    def _begin(self) -> None:
        self.day = self._first
        self._cash, self._shares = self._start[0], self._start[1].copy()
        self._reward, self.cost, self.trades = 0.0, 0.0, 0
        self.asset_memory = [self._account()]
        self.actions_memory = []
        self.date_memory = [self._days[self.day]]

    def _known_price(self, day: int) -> FloatArray:
        """Return the last prices, 1 for a stock that has none yet: nobody holds it."""
        return np.where(np.isfinite(self._price[day]), self._price[day], 1.0)

    def _account(self) -> float:
        return self._cash + float(self._shares @ self._known_price(self.day))

    def _weights(self, trades: FloatArray, account: float) -> tuple[FloatArray, FloatArray]:
        """Return the weights held, and those that the shares traded lead to, within the cash."""
        if self._threshold is not None and self._risk[self.day].max() >= self._threshold:
            trades = -self._shares
        value = self._known_price(self.day) / account
        start = self._shares * value
        target = np.maximum(self._shares + trades, 0.0) * value
        kept = np.minimum(start, target)
        bought = target - kept
        left = max(1.0 - float(kept.sum()), 0.0)
        total = float(bought.sum())
        return start, kept + bought * (min(left / total, 1.0) if total > 0.0 else 0.0)

    def _observe(self) -> Float32Array:
        indicators = self._indicators[self.day].reshape(-1)
        state = [np.array([self._cash]), self._known_price(self.day), self._shares, indicators]
        return np.concatenate(state).astype(np.float32)


def _by_day(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame as FinRL's `data_split` leaves it: the index counts the days."""
    ordered = frame.sort_values(["date", "tic"], ignore_index=True)
    ordered.index = pd.Index(ordered["date"].factorize()[0])
    return ordered


def _indicators(frame: pd.DataFrame, names: Sequence[str], tics: tuple[str, ...]) -> FloatArray:
    """Return columns of the frame `(days, indicators, stocks)`; 0 where a value is unknown."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise DataError(f"the FinRL frame lacks the columns {', '.join(missing)}")
    values = np.zeros((int(frame.index.max()) + 1, len(names), len(tics)))
    stock = pd.Index(tics).get_indexer(frame["tic"].astype(str))
    for i, name in enumerate(names):
        values[frame.index.to_numpy(), i, stock] = frame[name].astype("float64")
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _require(what: str, given: int, needed: int) -> None:
    if given != needed:
        raise DataError(f"{what} is {given}; with the stocks and indicators given it is {needed}")
