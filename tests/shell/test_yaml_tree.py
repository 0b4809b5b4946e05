"""YAML as bytes on disk: what becomes a tree, what is refused, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from duecall.shell.config_faults import ConfigFaults, Spot
from duecall.shell.rule_packs import SHIPPED
from duecall.shell.yaml_tree import MAX_BYTES, MAX_NODES, Tree, dotted, read_tree

TOO_MANY = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


def tree_of(folder: Path, content: str | bytes) -> Tree:
    path = folder / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_tree(path)


def test_scalars_stay_text(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, "1: 08:00\non: no\nb: [0900, 1_000, .5, 2026-04-19, =]\nc:\nd: ~\n")
    assert tree.data == {
        "1": "08:00",
        "on": "no",
        "b": ["0900", "1_000", ".5", "2026-04-19", "="],
        "c": None,
        "d": None,
    }


def test_spots(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, "a:\n  b: [x,  y]\n")
    assert tree.spot(("a", "b", 1)) == Spot(2, 11)
    assert tree.key_spot(("a", "b")) == Spot(2, 3)
    assert tree.spot(("a", "nothing")) == Spot(2, 3)


def test_dotted() -> None:
    assert dotted(("keys", "1", "say", 0, "text")) == "keys.1.say[0].text"


@pytest.mark.parametrize(
    ("content", "spot", "said"),
    [
        ("", (1, 1), "the file is empty"),
        ("# a comment\n", (1, 1), "the file is empty"),
        ("- a\n", (1, 1), "not keys and values"),
        ("words\n", (1, 1), "not keys and values"),
        ("a:\n\tb: 1\n", (2, 1), "a tab; allowed: blanks to indent"),
        ("a:\n  b: 1\n  \tc: 2\n", (3, 3), "a tab"),
        ("a:\tb\n", (1, 3), "a tab; allowed: a blank"),
        ("a: b: c\n", (1, 5), 'text with ": " in it within quotes'),
        ("*: {do: repeat}\n", (1, 2), 'the star key in quotes: "*"'),
        ("a: 'open\nb: 1\n", (1, 4), "a quote or bracket that is closed"),
        ("a: [1, 2\nb: 3\n", (2, 2), "brackets that are closed"),
        ("a: %x\n", (1, 4), "text that begins so within quotes"),
        ("a: *nothing\n", (1, 4), "an alias only after its anchor"),
        ("a:\n - b\n c: 1\n", (3, 2), "keys of one level in one column"),
        ("a: 1\n---\nb: 2\n", (2, 1), "one document a file"),
        ("a: x\0y\n", (1, 5), "the control character U+0000"),
        ("a: 1\nb: x\x07\n", (2, 5), "the control character U+0007"),
        ("a: " + "[" * 5_000, (1, 1), "nested too deeply"),
        (b"a: 1\nb: Xin ch\xe0o\n", (2, 10), "byte 14 (0xE0) is not UTF-8"),
        (b"\xef\xbb\xbfa: 1\nb: \xff\n", (2, 4), "byte 11 (0xFF) is not UTF-8"),
        ("a: 1\n".encode("utf-16"), (1, 1), "the file is UTF-16"),
    ],
)
def test_no_tree(tmp_path: Path, content: str | bytes, spot: tuple[int, int], said: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        tree_of(tmp_path, content)
    (fault,) = caught.value.faults
    assert (fault.line, fault.column) == spot, str(fault)
    assert said in str(fault)


def test_every_tab_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults) as caught:
        tree_of(tmp_path, "a:\n\tb: 1\n\tc: 2\nd: 1\n  \te: 1\n")
    assert [(fault.line, fault.column) for fault in caught.value.faults] == [(2, 1), (3, 1), (5, 3)]


@pytest.mark.parametrize(
    ("content", "spot", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", (3, 1), "a: stands here twice, first in line 1"),
        ("a: &x {b: *x}\n", (1, 4), "a.b: contains itself by an alias"),
        ("a: !!python/object/apply:os.system [id]\n", (1, 4), "the tag !!python/object/apply"),
        ("a: !mine x\n", (1, 4), "the tag !mine"),
        ("a: {{ name }}\n", (1, 5), "text that begins with { or [ within quotes"),
        ("a: {<<: {b: 1}}\n", (1, 5), "merge keys"),
        ("a: " + "[" * 25 + "]" * 25 + "\n", (1, 24), "nested too deeply"),
    ],
)
def test_tree_with_faults(tmp_path: Path, content: str, spot: tuple[int, int], said: str) -> None:
    (fault,) = tree_of(tmp_path, content).faults
    assert (fault.line, fault.column) == spot, str(fault)
    assert said in str(fault)


def test_aliases_cannot_multiply_without_bound(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, TOO_MANY)
    (fault,) = tree.faults
    assert "too many values" in fault.problem
    assert len(tree.values) <= MAX_NODES


def test_nothing_is_constructed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    tree = tree_of(tmp_path, f'a: !!python/object/apply:os.mkdir ["{victim}"]\n')
    assert tree.faults
    assert not victim.exists()


def test_too_large_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match=f"at most {MAX_BYTES} bytes"):
        tree_of(tmp_path, "a: " + "x" * MAX_BYTES)
    with pytest.raises(ConfigFaults, match="not a file"):
        read_tree(tmp_path)
    with pytest.raises(ConfigFaults, match="no such file"):
        read_tree(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_our_own_files_are_read_alike_by_both_readers(path: Path) -> None:
    fast, slow = read_tree(path, ours=True), read_tree(path)
    assert (fast.data, fast.keys, fast.values) == (slow.data, slow.keys, slow.values)
    assert not fast.faults
