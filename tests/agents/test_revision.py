from pathlib import Path

from trading.agents.revision import SOURCES, training_revision


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_only_the_code_that_trains_counts(tmp_path: Path) -> None:
    for source in SOURCES:
        write(tmp_path, source if source.endswith(".py") else f"{source}/a.py", "a = 1\n")
    write(tmp_path, "cli/app.py", "b = 1\n")
    before = training_revision.__wrapped__(tmp_path)
    write(tmp_path, "cli/app.py", "b = 2\n")
    assert training_revision.__wrapped__(tmp_path) == before
    for source in SOURCES:
        name = source if source.endswith(".py") else f"{source}/a.py"
        write(tmp_path, name, "a = 2\n")
        assert training_revision.__wrapped__(tmp_path) != before
        write(tmp_path, name, "a = 1\n")


def test_every_source_exists() -> None:
    root = Path(__file__).parents[2] / "src" / "trading"
    assert all((root / source).exists() for source in SOURCES)
    assert training_revision() == training_revision()
