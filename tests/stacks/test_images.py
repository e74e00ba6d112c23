from pathlib import Path

from stacks.images import source_hash


def test_the_hash_names_content_mode_and_path(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("a = 1\n")
    first = source_hash(tmp_path, ("src",))
    assert first == source_hash(tmp_path, ("src",))
    (tmp_path / "src" / "a.py").write_text("a = 2\n")
    changed = source_hash(tmp_path, ("src",))
    (tmp_path / "src" / "a.py").chmod(0o700)
    executable = source_hash(tmp_path, ("src",))
    (tmp_path / "src" / "a.py").rename(tmp_path / "src" / "b.py")
    renamed = source_hash(tmp_path, ("src",))
    assert len({first, changed, executable, renamed}) == 4


def test_caches_and_other_folders_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "src" / "__pycache__").mkdir(parents=True)
    (tmp_path / "src" / "a.py").write_text("a = 1\n")
    before = source_hash(tmp_path, ("src", "missing"))
    (tmp_path / "src" / "__pycache__" / "a.pyc").write_bytes(b"x")
    (tmp_path / "other").write_text("x")
    assert source_hash(tmp_path, ("src", "missing")) == before


def test_content_cannot_pass_for_a_path(tmp_path: Path) -> None:
    for name, files in {"one": {"a": "xb"}, "two": {"a": "x", "b": ""}}.items():
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_text(content)
    assert source_hash(tmp_path / "one", (".",)) != source_hash(tmp_path / "two", (".",))
