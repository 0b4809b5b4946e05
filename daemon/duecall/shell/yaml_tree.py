"""YAML text -> a tree of plain text with the place of everything in it.

YAML 1.1 guesses types: `08:00` becomes 480, `0900` 576, the country `NO` false, the key `on` true.
Here every scalar stays the text that was written; the models give it its type. What can hurt (size,
depth, aliases that multiply, tags) is bounded or refused, and nothing is ever constructed.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from duecall.shell.config_faults import ConfigFaults, Fault, Spot

MAX_BYTES = 262_144
MAX_NODES = 20_000  # after aliases are written out
MAX_DEPTH = 20
_KINDS = ("str", "int", "float", "bool", "null", "timestamp", "value", "seq", "map")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in _KINDS}
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
# The start of a byte order mark, and what the file then is.
_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
# YAML 1.1 begins a new line at these, editors do not: as blanks they shift no place in the file.
_NO_BREAKS = {0x85: " ", 0x2028: " ", 0x2029: " "}
_LINE_END = re.compile(r"\r\n|\r|\n")
_ENCODING = "UTF-8 text; save it again as UTF-8 (in an editor: Save as, Encoding)"
# What a YAML error most often comes from, in the words of one who edits campaigns.
_HINTS = (
    (re.compile(r"mapping values are not allowed"), 'text with ": " in it within quotes'),
    (re.compile(r"alphabetic or numeric character"), 'the star key in quotes: "*"'),
    (re.compile(r"expected <block end>"), "keys of one level in one column"),
    (re.compile(r"could not find expected ':'"), "each key with a colon and a blank after it"),
    (re.compile(r"cannot start any token"), "text that begins so within quotes"),
    (re.compile(r"unexpected end of stream"), "a quote or bracket that is closed"),
    (re.compile(r"expected a single document"), "one document a file, without a second ---"),
    (re.compile(r"undefined alias"), "an alias only after its anchor; text with * in quotes"),
    (re.compile(r"flow"), "brackets that are closed, commas between entries"),
)


@dataclass
class Tree:
    """data: dicts, lists, text and None. keys, values: where they stand, by path: `("keys", "1")`.

    nodes: PyYAML's, by the same paths. faults: what could not become data.
    """

    data: dict[str, Any]
    text: str
    keys: dict[tuple[str | int, ...], Spot] = field(default_factory=dict)
    values: dict[tuple[str | int, ...], Spot] = field(default_factory=dict)
    nodes: dict[tuple[str | int, ...], yaml.Node] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def spot(self, path: tuple[str | int, ...]) -> Spot:
        """Where this value begins; where there is none, the nearest value around it."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Spot(1, 1))

    def at(self, path: tuple[str | int, ...]) -> Any:
        """The value at this path, which must exist."""
        node: Any = self.data
        for part in path:
            node = node[part]
        return node

    def key_spot(self, path: tuple[str | int, ...]) -> Spot:
        """Where this key is written; the value's place where it has no key (lists)."""
        return self.keys.get(path) or self.spot(path)


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The file as text. Raises ConfigFaults: not there, not a file, too large, not UTF-8."""

    def fault(problem: str, allowed: str, spot: Spot = Spot(1, 1)) -> ConfigFaults:
        return ConfigFaults([Fault(str(path), spot.line, spot.column, "", problem, allowed)])

    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise fault("not a file", "a YAML file")
        if status.st_size > max_bytes:
            raise fault(f"{status.st_size} bytes", f"at most {max_bytes} bytes")
        raw = path.read_bytes()
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
        raise fault(problem, "a YAML file that can be read") from None
    for mark, name in _MARKS:
        if raw.startswith(mark):
            raise fault(f"the file is {name}", _ENCODING)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # With utf-8-sig, positions count from behind the mark.
        body = raw[3:] if raw.startswith(b"\xef\xbb\xbf") else raw
        before = body[: error.start].decode("utf-8")
        spot = _spot_at(before, len(before))
        offset = error.start + len(raw) - len(body)
        problem = f"byte {offset} (0x{body[error.start]:02X}) is not UTF-8"
        raise fault(problem, _ENCODING, spot) from None


def read_tree(path: Path, *, ours: bool = False) -> Tree:
    """The file as a tree. Raises ConfigFaults where it is no YAML at all. ours: as `tree_of`."""
    return tree_of(read_text(path), str(path), ours=ours)


def tree_of(text: str, file: str, *, ours: bool = False) -> Tree:
    """The same of a text that was read before. file: what it is called in faults.

    ours: a file that Duecall ships, read ten times faster by libyaml. That one would run out of
    stack where brackets are nested deeply, and says less of what is wrong.
    """
    text = text.translate(_NO_BREAKS)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader) if ours else yaml.SafeLoader
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        raise ConfigFaults(list(_yaml_faults(file, text, error))) from None
    except RecursionError:
        problem = "brackets or levels nested too deeply"
        raise ConfigFaults([Fault(file, 1, 1, "", problem, f"{MAX_DEPTH} levels")]) from None
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == _NULL):
        raise ConfigFaults([Fault(file, 1, 1, "", "the file is empty", "keys and values")])
    if not isinstance(root, yaml.MappingNode):
        spot = _mark(root.start_mark)
        problem = "not keys and values"
        raise ConfigFaults([Fault(file, *spot, "", problem, "lines such as `title: Words`")])
    walk = _Walk(file, Tree({}, text))
    walk.tree.data = walk.value(root, (), ())
    return walk.tree


class _Walk:
    """One pass over the node graph: plain data, spots, and the faults on the way."""

    def __init__(self, file: str, tree: Tree) -> None:
        self.file = file
        self.tree = tree
        self.count = 0

    def fault(self, mark: Any, path: tuple[str | int, ...], problem: str, allowed: str) -> None:
        self.tree.faults.append(Fault(self.file, *_mark(mark), dotted(path), problem, allowed))

    def value(self, node: yaml.Node, path: tuple[str | int, ...], above: tuple[int, ...]) -> Any:
        self.count += 1
        if self.count == MAX_NODES + 1:
            allowed = f"at most {MAX_NODES} values, those that aliases repeat included"
            self.fault(node.start_mark, path, "too many values", allowed)
        if self.count > MAX_NODES:
            return None
        if id(node) in above:
            self.fault(node.start_mark, path, "contains itself by an alias", "no such alias")
            return None
        if len(above) > MAX_DEPTH:
            self.fault(node.start_mark, path, "nested too deeply", f"{MAX_DEPTH} levels")
            return None
        self.tree.values[path] = _mark(node.start_mark)
        self.tree.nodes[path] = node
        if node.tag not in _PLAIN_TAGS:
            problem = f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')}"
            self.fault(node.start_mark, path, problem, "plain values without tags")
            return None
        above = (*above, id(node))
        if isinstance(node, yaml.ScalarNode):
            return None if node.tag == _NULL else node.value
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i), above) for i, item in enumerate(node.value)]
        return self.mapping(node, path, above)

    def mapping(
        self, node: yaml.Node, path: tuple[str | int, ...], above: tuple[int, ...]
    ) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                self.fault(key.start_mark, path, "merge keys (<<)", "each key written out")
                continue
            if not isinstance(key, yaml.ScalarNode):
                allowed = "a word as key; text that begins with { or [ within quotes"
                self.fault(key.start_mark, path, "brackets where a key belongs", allowed)
                continue
            inner = (*path, key.value)
            if key.value in data:
                problem = f"stands here twice, first in line {self.tree.keys[inner].line}"
                self.fault(key.start_mark, inner, problem, "each key once")
                continue
            self.tree.keys[inner] = _mark(key.start_mark)
            data[key.value] = self.value(value, inner, above)
        return data


def dotted(path: tuple[str | int, ...]) -> str:
    """`("keys", "1", "say", 0)` -> `keys.1.say[0]`, as messages name a place."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _mark(mark: Any) -> Spot:
    return Spot(mark.line + 1, mark.column + 1)


def _spot_at(text: str, index: int) -> Spot:
    ends = [end.end() for end in _LINE_END.finditer(text, 0, index)]
    return Spot(len(ends) + 1, index - (ends[-1] if ends else 0) + 1)


def _yaml_faults(file: str, text: str, error: yaml.YAMLError) -> Iterator[Fault]:
    tabs = [
        Fault(file, number, len(line) - len(line.lstrip(" ")) + 1, "", "a tab", "blanks to indent")
        for number, line in enumerate(text.splitlines(), 1)
        if line.lstrip(" ").startswith("\t") and line.strip()
    ]
    if isinstance(error, yaml.reader.ReaderError):
        spot = _spot_at(text, error.position)
        problem = f"the control character U+{error.character:04X}"
        yield Fault(file, *spot, "", problem, "text without control characters")
        return
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if "unexpected end of stream" in str(getattr(error, "problem", "")):
        mark = getattr(error, "context_mark", None) or mark  # where the quote was opened
    spot = _mark(mark) if mark else Spot(1, 1)
    what = " ".join(filter(None, (getattr(error, "context", ""), getattr(error, "problem", ""))))
    yield from tabs
    if not tabs and mark and text.startswith("\t", mark.index):
        yield Fault(file, *spot, "", "a tab", "a blank")
        return
    # A tab breaks the parse at its line or the next; to say so twice helps nobody.
    if not any(fault.line in (spot.line, spot.line - 1) for fault in tabs):
        hint = next((text for pattern, text in _HINTS if pattern.search(what)), "YAML")
        yield Fault(file, *spot, "", f"not YAML: {what}", hint)
