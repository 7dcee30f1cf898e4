"""Rulebooks: YAML text -> rules, with every problem at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from rules.book import nodes
from rules.book.checking import check
from rules.book.model import Loaded, Place, Problem, Rule, Rulebook, Severity
from rules.book.reading import read_labels, read_rules, read_top
from rules.book.values import Report
from rules.matching import ColumnPattern

__all__ = ["Loaded", "Place", "Problem", "Rule", "Rulebook", "Severity", "check", "load"]


def load(sources: Mapping[str, str | bytes]) -> Loaded:
    """Reads and merges rule files (name -> text). Any text whatever gives problems, never an exception."""
    problems: list[Problem] = []
    tops: list[tuple[nodes.Mapping, Report]] = []
    for file in sorted(sources):
        top, report = _read_file(file, sources[file])
        problems.extend(report.problems)
        report.problems.clear()
        if top is not None:
            tops.append((top, report))
    labels: dict[str, tuple[ColumnPattern, ...]] = {}
    places: dict[str, Place] = {}
    for top, report in tops:
        read_labels(top, report, labels, places)
    rules = [rule for top, report in tops for rule in read_rules(top, report, labels)]
    problems.extend(problem for _, report in tops for problem in report.problems)
    problems.extend(_doubled_ids(rules))
    if not sources:
        problems.append(Problem("rules", 1, 1, "there is no rule file", "everything would be refused"))
    ordered = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column)))
    if any(p.severity is Severity.ERROR for p in ordered):
        return Loaded(None, ordered)
    return Loaded(Rulebook(tuple(rules), labels, digest(sources), tuple(sorted(sources))), ordered)


def _read_file(file: str, source: str | bytes) -> tuple[nodes.Mapping | None, Report]:
    report = Report(file)
    text, faults = nodes.read_text(file, source)
    report.problems.extend(faults)
    if text is None:
        return None, report
    root, faults = nodes.read_nodes(file, text)
    report.problems.extend(faults)
    if root is None and faults:
        return None, report
    return read_top(root, report), report


def _doubled_ids(rules: list[Rule]) -> list[Problem]:
    first: dict[str, Place] = {}
    problems: list[Problem] = []
    for rule in rules:
        before = first.setdefault(rule.id, rule.place)
        if before is not rule.place:
            what = f'the rule id "{rule.id}" is used twice'
            problems.append(Problem(rule.place.file, rule.place.line, rule.place.column, what,
                                    f"first in {before}", "give each rule its own id"))  # fmt: skip
    return problems


def digest(sources: Mapping[str, str | bytes]) -> str:
    """SHA-256 over the texts, whatever their files are called and in whatever order they come."""
    texts = (text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass") for text in sources.values())
    each = sorted(hashlib.sha256(text).digest() for text in texts)
    return hashlib.sha256(b"".join(each)).hexdigest()
