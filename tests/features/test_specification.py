"""The specification and its documentation say the same."""

from pathlib import Path

from trading.features.specification import (
    CONTEXT,
    CONTEXT_SPECIFICATION,
    FEATURE_NAMES,
    FEATURES,
    HISTORY,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "features.md"


def table(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading of the document."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows]


def test_there_are_17_features_of_distinct_names() -> None:
    assert len(FEATURES) == len(set(FEATURE_NAMES)) == 17
    assert len(CONTEXT) == len(set(CONTEXT)) == 8
    assert max(context.window for context in CONTEXT_SPECIFICATION) <= HISTORY == 253


def test_the_document_lists_every_feature_as_it_is() -> None:
    assert table("The 17 features") == [
        [f"`{f.name}`", f.description, f"`{f.formula}`", str(f.window), f.scaling] for f in FEATURES
    ]


def test_the_document_lists_the_context_as_it_is() -> None:
    assert table("The market context") == [
        [f"`{c.name}`", c.description, str(c.window), f"{c.centre:g}", f"{c.scale:g}"]
        for c in CONTEXT_SPECIFICATION
    ]
