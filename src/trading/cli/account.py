"""`trading doctor --aws`: whether the account is fit for a first deployment."""

from collections import Counter
from dataclasses import asdict

from rich.markup import escape

from trading.account.examine import examine
from trading.account.finding import Verdict
from trading.account.needs import read_needs
from trading.cli.cloud import SOURCE_ROOT
from trading.cli.output import DONE, FAILED, print_json, result

SHOWN = {
    Verdict.OK: "ok  ",
    Verdict.WARNING: "WARN",
    Verdict.FAILED: "FAIL",
    Verdict.UNKNOWN: "?   ",
}


def examine_account(stack: str, *, as_json: bool) -> int:
    """Examine the account that the environment's credentials lead to.

    Exit code 1: something would keep a deployment, or its first month, from succeeding.
    """
    needs = read_needs(SOURCE_ROOT, stack)
    findings = examine(needs)
    blocked = any(one.blocks for one in findings)
    if as_json:
        print_json({"ok": not blocked, "stack": stack, "findings": [asdict(f) for f in findings]})
        return FAILED if blocked else DONE
    for one in findings:
        result.print(
            f"{SHOWN[one.verdict]}  {escape(one.check)}: {escape(one.says)}", soft_wrap=True
        )
        if one.way_out:
            result.print(f"        {escape(one.way_out)}", soft_wrap=True)
    counts = Counter(one.verdict for one in findings)
    result.print(", ".join(f"{counts[one]} {one}" for one in Verdict if counts[one]))
    return FAILED if blocked else DONE
