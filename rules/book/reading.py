"""YAML nodes -> rules. Everything that is wrong is reported, and a rule with a fault is never half used."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from rules.book import nodes
from rules.book.filtering import read_filter
from rules.book.limiting import read_limit
from rules.book.model import Allow, Deny, Masking, Place, Predicates, Rule, Verb
from rules.book.nodes import Node, Scalar
from rules.book.values import (
    Report,
    check_keys,
    did_you_mean,
    one_of,
    pattern_reader,
    read_list,
    read_mapping,
    read_sentence,
    read_word,
    word_reader,
)
from rules.decision import Mask, MaskKind
from rules.matching import ColumnPattern, NamePattern, read_column, read_name
from rules.taxonomy import KINDS

Labels = Mapping[str, tuple[ColumnPattern, ...]]
T = TypeVar("T")

TOP_KEYS: Final = ("version", "labels", "rules")
RULE_KEYS: Final = ("id", "roles", "message", "instead", "mode")
MODES: Final = ("enforce", "observe")
#: Verbs of later releases: refused by name, since a rule that is not understood must not be skipped.
LATER_VERBS: Final = ("approve", "screen", "canary")
WITHOUT: Final = ("where",)
#: verb -> the keys of its body; those of filter and limit stand with their readers
VERB_KEYS: Final = {
    "allow": ("statements", "tables", "functions"),
    "deny": ("statements", "tables", "columns", "functions", "without"),
    "mask": ("columns", "with", "predicates"),
}
PLAIN_MASKS: Final = {
    kind.value: kind for kind in (MaskKind.REDACT, MaskKind.NULL, MaskKind.HASH, MaskKind.YEAR, MaskKind.EMAIL)
}
COUNTED_MASKS: Final = {kind.value: kind for kind in (MaskKind.KEEP_LAST, MaskKind.KEEP_FIRST, MaskKind.ROUND)}
MOST_KEPT: Final = 100
LARGEST_STEP: Final = 10**12

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LABEL_PREFIX: Final = "label:"


# ---------------------------------------------------------------- the file


def read_top(node: Node | None, report: Report) -> nodes.Mapping | None:
    """The file's mapping, its keys and version checked."""
    if node is None or (isinstance(node, Scalar) and node.plain and not node.text):
        report.add(Scalar("", True, 1, 1), "the file is empty", mend="begin with version: 1 and rules:")
        return None
    top = read_mapping(node, report, "a rule file")
    if top is None:
        return None
    check_keys(top, TOP_KEYS, report, "a rule file")
    version = top.get("version")
    if version is None:
        report.add(top, 'the key "version" is missing', mend="begin the file with version: 1")
    elif not (isinstance(version, Scalar) and version.plain and version.text == "1"):
        report.add(version, "this release reads rule files of version 1 only", mend="version: 1")
    if top.get("rules") is None and top.get("labels") is None:
        report.add(top, "the file has neither rules nor labels", mend="add rules:")
    return top


def read_labels(top: nodes.Mapping, report: Report, labels: dict[str, tuple[ColumnPattern, ...]],
                places: dict[str, Place]) -> None:  # fmt: skip
    """Adds the file's labels to those of the other files."""
    node = top.get("labels")
    found = None if node is None else read_mapping(node, report, "labels")
    for key, value in () if found is None else found.entries:
        if not _LABEL.fullmatch(key.text):
            report.add(key, f'bad label name "{key.text[:80]}"', mend="use letters, digits, - and _")
        elif key.text in places:
            report.add(
                key, f'the label "{key.text}" is defined twice', f"first in {places[key.text]}", "merge the lists"
            )
        places.setdefault(key.text, report.place(key))
        labels[key.text] = read_list(value, report, f'label "{key.text}"', pattern_reader(report, read_column))


def read_rules(top: nodes.Mapping, report: Report, labels: Labels) -> list[Rule]:
    node = top.get("rules")
    if node is None:
        return []
    if not isinstance(node, nodes.Sequence):
        report.add(node, "rules must be a list", mend="begin each rule with a dash: - id: my-rule")
        return []
    if not node.items:
        report.add(node, "rules is an empty list", "everything would be refused", "write at least one allow rule")
    read = (_RuleReader(report, labels).rule(item) for item in node.items)
    return [rule for rule in read if rule is not None]


# ---------------------------------------------------------------- one rule


class _RuleReader:
    """Reads one rule; a `before` count of problems tells whether it can be used."""

    def __init__(self, report: Report, labels: Labels) -> None:
        self.report = report
        self.labels = labels
        self.where = "a rule"
        self.places: list[tuple[str, Place]] = []

    def rule(self, node: Node) -> Rule | None:
        before = len(self.report.problems)
        found = read_mapping(node, self.report, "a rule")
        if found is None:
            return None
        identity = self.identity(found)
        self.where = f'rule "{identity}"'
        verb = self.verb(found)
        rule = Rule(
            id=identity,
            place=self.report.place(found.entries[0][0] if found.entries else found),
            verb=verb or Allow(),
            roles=self.roles(found.get("roles")),
            message=self.sentence(found, "message"),
            instead=self.sentence(found, "instead"),
            observe=self.mode(found.get("mode")) == "observe",
            pattern_places=tuple(self.places),
        )
        return rule if len(self.report.problems) == before else None

    def identity(self, found: nodes.Mapping) -> str:
        node = found.get("id")
        if node is None:
            self.report.add(found, "a rule without an id", "refusals and the audit name it", "add id: a-short-name")
            return "?"
        word = read_word(node, self.report, "a rule's id")
        if word is not None and not _ID.fullmatch(word):
            self.report.add(node, f'bad rule id "{word[:80]}"', mend="use up to 100 letters, digits, - _ . and /")
        return (word or "?")[:100]

    def roles(self, node: Node | None) -> frozenset[str]:
        if node is None:
            return frozenset()
        words = read_list(node, self.report, f"roles of {self.where}", lambda word, _: word)
        return frozenset() if "*" in words else frozenset(words)

    def sentence(self, found: nodes.Mapping, key: str) -> str:
        node = found.get(key)
        return "" if node is None else read_sentence(node, self.report, f"{key} of {self.where}")

    def mode(self, node: Node | None) -> str:
        return "enforce" if node is None else self.choice(node, MODES, "mode", "enforce")

    def choice(self, node: Node, words: tuple[str, ...], what: str, fallback: str) -> str:
        word = read_word(node, self.report, f"{what} of {self.where}")
        return fallback if word is None else word_reader(self.report, words, what)(word, node) or fallback

    def verb(self, found: nodes.Mapping) -> Verb | None:
        check_keys(found, (*RULE_KEYS, *VERBS, *LATER_VERBS), self.report, self.where)
        for key, _ in found.entries:
            if key.text in LATER_VERBS:
                why = "a rule that is not understood must not be skipped"
                self.report.add(key, f'this release does not know the verb "{key.text}" yet', why, one_of(VERBS))
        present = [(key, value) for key, value in found.entries if key.text in VERBS]
        if len(present) == 1:
            key, value = present[0]
            return VERBS[key.text](self, value)
        self.missing_verb(found, [key.text for key, _ in present])
        return None

    def missing_verb(self, found: nodes.Mapping, present: list[str]) -> None:
        if present:
            what = f"{self.where} has {len(present)} verbs ({', '.join(present)})"
            self.report.add(found, what, mend="write one rule for each")
        elif not any(key.text in LATER_VERBS for key, _ in found.entries):
            self.report.add(found, f"{self.where} has no verb", mend=one_of(VERBS))

    # ------------------------------------------------------------ verbs

    def allow(self, node: Node) -> Allow | None:
        body = self.body(node, "allow")
        if body is None:
            return None
        known = {key.text for key, _ in body.entries}
        if "statements" not in known and known <= {"tables", "functions"} and known != {"functions"}:
            self.report.add(body, f"allow of {self.where} names no statements", mend="add statements: [select]")
        return Allow(
            statements=frozenset().union(*(self.given(body, "statements", self.kinds(allows=True)) or ())),
            tables=self.given(body, "tables", self.names(allows=True)),
            functions=self.given(body, "functions", self.names(allows=True)) or (),
        )

    def deny(self, node: Node) -> Deny | None:
        body = self.body(node, "deny")
        if body is None:
            return None
        statements = self.given(body, "statements", self.kinds(allows=False))
        without = body.get("without")
        return Deny(
            statements=None if statements is None else frozenset().union(*statements),
            tables=self.given(body, "tables", self.names(allows=False)),
            columns=self.columns(body),
            functions=self.given(body, "functions", self.names(allows=False)),
            without=None if without is None else self.choice(without, WITHOUT, "without", "where"),
        )

    def mask(self, node: Node) -> Masking | None:
        body = self.body(node, "mask")
        if body is None:
            return None
        columns, kind, predicates = self.columns(body), body.get("with"), body.get("predicates")
        known = {key.text for key, _ in body.entries} <= set(VERB_KEYS["mask"])
        if columns is None and known:
            self.report.add(body, f"mask of {self.where} names no columns", mend='add columns: ["table.column"]')
        if kind is None and known:
            self.report.add(body, f'mask of {self.where} has no "with"', mend=f"with: {one_of(ALL_MASKS)}")
        word = "none" if predicates is None else self.predicates(predicates)
        mask = Mask(MaskKind.NULL) if kind is None else self.mask_kind(kind)
        return Masking(columns or (), mask, Predicates(word))

    def body(self, node: Node, verb: str) -> nodes.Mapping | None:
        keys = VERB_KEYS[verb]
        body = read_mapping(node, self.report, f"{verb} of {self.where}")
        if body is None:
            return None
        check_keys(body, keys, self.report, f"{verb} of {self.where}")
        if not body.entries:
            self.report.add(body, f"{verb} of {self.where} is empty", mend=one_of(keys))
        return body

    def predicates(self, node: Node) -> str:
        return self.choice(node, tuple(p.value for p in Predicates), "predicates", "none")

    def mask_kind(self, node: Node) -> Mask:
        """`redact`, `null` (YAML's own null is meant as well), or a counted `{keep_last: 4}`, `{round: 1000}`."""
        if isinstance(node, nodes.Mapping):
            return self.counted_mask(node)
        if isinstance(node, Scalar) and node.text in PLAIN_MASKS:
            return Mask(PLAIN_MASKS[node.text])
        word = node.text if isinstance(node, Scalar) else ""
        mend = f"write with: {EXAMPLES[word]}" if word in COUNTED_MASKS else did_you_mean(word, ALL_MASKS)
        self.report.add(node, f'unknown mask "{word[:80]}" in {self.where}', mend=mend or one_of(ALL_MASKS))
        return Mask(MaskKind.NULL)

    def counted_mask(self, node: nodes.Mapping) -> Mask:
        check_keys(node, COUNTED_MASKS, self.report, f"with of {self.where}")
        if len(node.entries) != 1:
            self.report.add(node, f"with of {self.where} must hold one mask", mend="with: {keep_last: 4}")
            return Mask(MaskKind.NULL)
        key, value = node.entries[0]
        kind = COUNTED_MASKS.get(key.text, MaskKind.NULL)
        most = LARGEST_STEP if kind is MaskKind.ROUND else MOST_KEPT
        text = value.text if isinstance(value, Scalar) and value.plain else ""
        if re.fullmatch(r"[1-9][0-9]{0,12}", text) and int(text) <= most:
            return Mask(kind, step=int(text)) if kind is MaskKind.ROUND else Mask(kind, int(text))
        why = f"1 to {most}" if kind is MaskKind.ROUND else f"1 to {most} characters"
        self.report.add(value, f"{key.text[:80]} of {self.where} needs a whole number", why)
        return Mask(MaskKind.NULL)

    # ------------------------------------------------------------ lists

    def given(self, body: nodes.Mapping, key: str, read: Callable[[str, Node], T | None]) -> tuple[T, ...] | None:
        node = body.get(key)
        return None if node is None else read_list(node, self.report, f"{key} of {self.where}", read)

    def kinds(self, *, allows: bool) -> Callable[[str, Node], frozenset[str] | None]:
        def read(word: str, node: Node) -> frozenset[str] | None:
            if "*" in word:
                return self.globbed_kinds(word, node)
            if word == "unknown" and allows:
                self.report.add(node, 'statements of kind "unknown" cannot be allowed', "the gate could not read them")
            known = word_reader(self.report, KINDS, "statement kind")(word, node)
            return None if known is None else frozenset({known})

        return read

    def globbed_kinds(self, word: str, node: Node) -> frozenset[str] | None:
        found = frozenset(kind for kind in KINDS if kind != "unknown" and fnmatch.fnmatchcase(kind, word))
        if not found:
            self.report.add(node, f'no statement kind matches "{word[:80]}"', mend=one_of(KINDS))
        return found or None

    def names(self, *, allows: bool) -> Callable[[str, Node], NamePattern | None]:
        read = pattern_reader(self.report, lambda word: read_name(word, allows=allows))

        def read_and_place(word: str, node: Node) -> NamePattern | None:
            self.places.append((word, self.report.place(node)))
            return read(word, node)

        return read_and_place

    def columns(self, body: nodes.Mapping) -> tuple[ColumnPattern, ...] | None:
        groups = self.given(body, "columns", self.column_group)
        return None if groups is None else tuple(pattern for group in groups for pattern in group)

    def column_group(self, word: str, node: Node) -> tuple[ColumnPattern, ...] | None:
        if not word.startswith(_LABEL_PREFIX):
            self.places.append((word, self.report.place(node)))
            pattern = pattern_reader(self.report, read_column)(word, node)
            return None if pattern is None else (pattern,)
        label = word.removeprefix(_LABEL_PREFIX)
        if label in self.labels:
            self.places.extend((pattern.text, self.report.place(node)) for pattern in self.labels[label])
            return self.labels[label]
        mend = did_you_mean(label, self.labels) or "define it under labels:"
        self.report.add(node, f'unknown label "{label[:80]}" in {self.where}', mend=mend)
        return None


#: a counted mask's word -> how to write it
EXAMPLES: Final = {name: f"{{{name}: {1000 if kind is MaskKind.ROUND else 4}}}" for name, kind in COUNTED_MASKS.items()}
ALL_MASKS: Final = (*PLAIN_MASKS, *EXAMPLES.values())
#: verb -> its reader; the keys are the YAML keys
VERBS: Final[dict[str, Callable[[_RuleReader, Node], Verb | None]]] = {
    "allow": _RuleReader.allow,
    "deny": _RuleReader.deny,
    "mask": _RuleReader.mask,
    "filter": lambda reader, node: read_filter(node, reader.report, reader.where, reader.names(allows=False)),
    "limit": lambda reader, node: read_limit(node, reader.report, reader.where),
}
