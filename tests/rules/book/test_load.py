from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.book import Loaded, load
from rules.book.model import Allow, Deny, Masking, Predicates
from rules.decision import Mask, MaskKind
from rules.taxonomy import KINDS

GOOD = """\
version: 1
labels:
  pii: [customers.email, customers.phone]
rules:
  - id: agent-reads
    roles: [agent]
    allow: {statements: [select], tables: ["public.*"], functions: [order_total]}
  - id: no-secrets
    deny: {tables: [api_keys, "hr.*"]}
    message: credentials are not readable
      through this gate
    instead: ask the platform team
  - id: write-needs-where
    deny: {statements: [update, delete], without: where}
  - id: mask-pii
    roles: [agent]
    mode: observe
    mask: {columns: ["label:pii", "*.ssn"], with: {keep_last: 4}, predicates: equality}
  - id: mask-null
    roles: ["*"]
    mask: {columns: [a.b], with: null}
"""


def said(text: str) -> list[str]:
    return [str(problem) for problem in load({"r.yaml": dedent(text)}).problems]


def rule_said(line: str) -> str:
    """The one problem of a rulebook whose third line is `line`."""
    (problem,) = said(f"version: 1\nrules:\n  - {line}\n")
    return problem


def test_a_good_rulebook() -> None:
    loaded = load({"r.yaml": GOOD})
    assert not loaded.problems
    book = loaded.rulebook
    assert book is not None
    reads, secrets, where, pii, null = book.rules
    assert isinstance(reads.verb, Allow)
    assert reads.verb.statements == {"select"}
    assert reads.roles == {"agent"}
    assert (reads.place.file, reads.place.line, reads.place.column) == ("r.yaml", 5, 5)
    assert isinstance(secrets.verb, Deny)
    assert secrets.message == "credentials are not readable through this gate"
    assert secrets.instead == "ask the platform team"
    assert secrets.applies_to("anyone")
    assert isinstance(where.verb, Deny)
    assert where.verb.without == "where"
    assert isinstance(pii.verb, Masking)
    assert pii.observe
    assert pii.verb.mask == Mask(MaskKind.KEEP_LAST, 4)
    assert pii.verb.predicates is Predicates.EQUALITY
    assert [p.text for p in pii.verb.columns] == ["customers.email", "customers.phone", "*.ssn"]
    assert isinstance(null.verb, Masking)
    assert null.verb.mask.kind is MaskKind.NULL
    assert null.verb.predicates is Predicates.NONE
    assert null.applies_to("anyone")


def test_files_are_merged_and_labels_shared() -> None:
    loaded = load(
        {
            "b.yaml": 'version: 1\nrules: [{id: m, mask: {columns: ["label:pii"], with: redact}}]',
            "a.yaml": "version: 1\nlabels: {pii: [t.c]}",
        }
    )
    assert loaded.rulebook is not None
    assert loaded.rulebook.files == ("a.yaml", "b.yaml")
    (rule,) = loaded.rulebook.rules
    assert isinstance(rule.verb, Masking)
    assert rule.verb.columns[0].text == "t.c"


def test_the_digest_is_of_the_texts() -> None:
    one, renamed = load({"a": GOOD}).rulebook, load({"b": GOOD.encode()}).rulebook
    other = load({"a": GOOD + "\n"}).rulebook
    assert one is not None
    assert renamed is not None
    assert other is not None
    assert one.digest == renamed.digest != other.digest
    assert len(one.digest) == 64


def test_statement_globs_never_reach_unknown() -> None:
    loaded = load(
        {"r": 'version: 1\nrules: [{id: a, allow: {statements: ["*"]}}, {id: b, allow: {statements: ["copy_*"]}}]'}
    )
    assert loaded.rulebook is not None
    everything, copies = (rule.verb for rule in loaded.rulebook.rules)
    assert isinstance(everything, Allow)
    assert isinstance(copies, Allow)
    assert everything.statements == set(KINDS) - {"unknown"}
    assert copies.statements == {"copy_in", "copy_out"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{id: a, mask: {colums: [t.c]}}", '3:20  unknown key "colums" in mask of rule "a"  did you mean "columns"?'),
        ("{id: a, allow: {statements: [selct]}}", '3:34  unknown statement kind "selct"  did you mean "select"?'),
        ("{id: a, allow: {statements: [unknown]}}", 'statements of kind "unknown" cannot be allowed'),
        ("{id: a, allow: {statements: [x*]}}", 'no statement kind matches "x*"'),
        ("{id: a, allow: {tables: [t]}}", 'allow of rule "a" names no statements'),
        ("{id: a, allow: {statements: select}}", "must be a list  this is a text  write it in brackets: [select]"),
        ("{id: a, allow: {statements: []}}", "is an empty list"),
        ("{id: a, allow: {statements: [select], columns: [t.c]}}", 'unknown key "columns" in allow'),
        ("{id: a, deny: {}}", 'deny of rule "a" is empty'),
        ("{id: a, deny: {tables: [a.b.c]}}", 'bad pattern: "a.b.c" has 3 parts'),
        ("{id: a, deny: {tables: [on]}}", 'put it in quotes: "on"'),
        ("{id: a, deny: {tables: [No]}}", 'put it in quotes: "No"'),
        ("{id: a, deny: {tables: [1e3]}}", 'put it in quotes: "1e3"'),
        ("{id: a, deny: {tables: [12:30]}}", 'put it in quotes: "12:30"'),
        ("{id: a, deny: {tables: [null]}}", 'put it in quotes: "null"'),
        ("{id: a, deny: {tables: [[t]]}}", "must be a text  this is a list"),
        ("{id: a, deny: {tables: {t: 1}}}", "must be a list  this is a mapping"),
        ("{id: a, deny: {statements: [update], without: limit}}", 'unknown without "limit"'),
        ("{id: a, mask: {columns: [t.c]}}", 'mask of rule "a" has no "with"'),
        ("{id: a, mask: {with: redact}}", 'mask of rule "a" names no columns'),
        ("{id: a, mask: {columns: [ssn], with: redact}}", 'write table.ssn or "*.ssn" for every table'),
        ('{id: a, mask: {columns: ["label:pi"], with: redact}}', 'unknown label "pi" in rule "a"'),
        ("{id: a, mask: {columns: [t.c], with: redacted}}", 'did you mean "redact"?'),
        ("{id: a, mask: {columns: [t.c], with: keep_last}}", "write with: {keep_last: 4}"),
        ("{id: a, mask: {columns: [t.c], with: {keep_last: 0}}}", "needs a whole number  1 to 100"),
        ("{id: a, mask: {columns: [t.c], with: round}}", "write with: {round: 1000}"),
        ("{id: a, mask: {columns: [t.c], with: {round: 0}}}", "needs a whole number  1 to 1000000000000"),
        ("{id: a, mask: {columns: [t.c], with: {round: 0.5}}}", "needs a whole number"),
        ("{id: a, mask: {columns: [t.c], with: {keep_last: 1_0}}}", "needs a whole number"),
        ("{id: a, mask: {columns: [t.c], with: {keep_lst: 4}}}", 'did you mean "keep_last"?'),
        ("{id: a, mask: {columns: [t.c], with: {keep_last: 4, keep_first: 4}}}", "must hold one mask"),
        ("{id: a, mask: {columns: [t.c], with: redact, predicates: equal}}", 'did you mean "equality"?'),
        ("{id: a, mode: dry, deny: {tables: [t]}}", 'unknown mode "dry"'),
        ("{id: a, deny: {tables: [t]}, allow: {statements: [select]}}", "has 2 verbs (deny, allow)"),
        ("{id: a}", 'rule "a" has no verb'),
        ("{deny: {tables: [t]}}", "a rule without an id"),
        ("{id: no, deny: {tables: [t]}}", 'put it in quotes: "no"'),
        ("{id: a b, deny: {tables: [t]}}", 'bad rule id "a b"'),
        ("{id: a, role: [x], deny: {tables: [t]}}", 'unknown key "role" in rule "a"  did you mean "roles"?'),
        ("{id: a, roles: [], deny: {tables: [t]}}", 'roles of rule "a" is an empty list'),
        ("{id: a, deny: {tables: [t]}, deny: {tables: [u]}}", 'the key "deny" stands here twice  first on line 3'),
        ("{id: a, deny: {tables: [t]}, ? [x] : y}", "a key must be a plain word"),
        ("{id: a, deny: {tables: [!!python/name:os.system t]}}", "means nothing here"),
        ("hello", "a rule must be a mapping"),
        ("{id: a, message: '', deny: {tables: [t]}}", "is empty"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place_and_its_mend(line: str, expected: str) -> None:
    problem = rule_said(line)
    assert expected in problem
    assert problem.startswith("r.yaml:3:")


@pytest.mark.parametrize("verb", ["approve", "screen", "canary"])
def test_verbs_of_later_releases_are_refused_not_ignored(verb: str) -> None:
    assert f'does not know the verb "{verb}" yet' in rule_said(f"{{id: a, {verb}: {{x: y}}}}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("a", "a rule file must be a mapping"),
        ("rules: [{id: a, deny: {tables: [t]}}]", 'the key "version" is missing'),
        ("version: 2\nrules: [{id: a, deny: {tables: [t]}}]", "version 1 only"),
        ("version: '1'\nrules: [{id: a, deny: {tables: [t]}}]", "version 1 only"),
        ("version: 1", "neither rules nor labels"),
        ("version: 1\nrules: []", "rules is an empty list"),
        ("version: 1\nrules: {id: a}", "begin each rule with a dash"),
        ("version: 1\nlabels: [a]", "labels must be a mapping"),
        ("version: 1\nlabels: {a: [t.c, u]}", '"u" names no table'),
        ("version: 1\nlabels: {a b: [t.c]}", 'bad label name "a b"'),
        ("version: 1\nrule: []\nlabels: {a: [t.c]}", 'did you mean "rules"?'),
        ("version: 1\nrules:\n\t- id: a", "indent with spaces"),
        ("version: 1\nrules: [*.ssn]", 'quote names that start with a star: "*.ssn"'),
        ("version: 1\n---\nversion: 1", "a second document"),
        ("version: 1\nlabels: &a {x: *a}", "has no anchor before it"),
        ("a: 'x", "not readable as YAML"),
        ('a: "\\U99999999"', "not readable as YAML"),
        ("a: \x00", "not readable as YAML"),
        ("[" * 3000, "nested deeper"),
        ("\ud800", "not valid UTF-8"),
        ("x" * (1 << 20 | 1), "longer than"),
    ],
)
def test_faults_of_the_whole_file(text: str, expected: str) -> None:
    loaded = load({"r.yaml": text})
    assert loaded.rulebook is None
    assert any(expected in str(problem) for problem in loaded.problems), loaded.problems


def test_bytes_that_are_no_utf8_are_placed() -> None:
    (problem,) = load({"r.yaml": b"version: 1\nx: \xff"}).problems
    assert (problem.line, problem.column) == (2, 4)


def test_a_byte_order_mark_is_fine() -> None:
    assert load({"r.yaml": b"\xef\xbb\xbf" + GOOD.encode()}).rulebook is not None


def test_every_problem_at_once_in_order() -> None:
    problems = said("""\
        version: 1
        rules:
          - {id: a, deny: {table: [t]}}
          - {id: a, deny: {tables: []}}
          - {id: b, mask: {columns: [c], with: rot13}}
        """)
    assert len(problems) == 4
    assert [p.split(":")[1] for p in problems] == ["3", "4", "5", "5"]


def test_doubled_ids_across_files() -> None:
    one = "version: 1\nrules: [{id: a, deny: {tables: [t]}}]"
    (problem,) = load({"1.yaml": one, "2.yaml": one}).problems
    assert 'the rule id "a" is used twice' in str(problem)
    assert "first in 1.yaml:2" in str(problem)


def test_doubled_labels_across_files() -> None:
    one = "version: 1\nlabels: {pii: [t.c]}"
    (problem,) = load({"1.yaml": one, "2.yaml": one}).problems
    assert 'the label "pii" is defined twice' in str(problem)


def test_no_file_is_a_problem() -> None:
    assert load({}).rulebook is None


def test_an_alias_bomb_is_refused_quickly() -> None:
    lines = ["version: 1", "labels:", "  a0: &a0 [t.c, t.c, t.c, t.c, t.c, t.c, t.c, t.c, t.c]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert any("once aliases are expanded" in p for p in said("\n".join(lines)))


def test_aliases_work() -> None:
    one, two = "{id: a, deny: {tables: &t [x, y]}}", "{id: b, deny: {statements: [drop], tables: *t}}"
    text = f"version: 1\nrules: [{one}, {two}]"
    assert load({"r": text}).rulebook is not None


def is_sound(loaded: Loaded) -> bool:
    return (loaded.rulebook is None) == bool(loaded.problems) and all(str(p) for p in loaded.problems)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200))
@example("%YAML 1.1\n---\n? ? ?")
@example("!<tag:yaml.org,2002:int> 1")
@example("%TAG ! :\n---\n!a b")
def test_any_text_gives_problems_never_an_exception(text: str | bytes) -> None:
    assert is_sound(load({"r": text}))


_PIECES = st.sampled_from(
    ["version: 1\n", "rules:\n", "  - id: a\n", "    deny:", "    mask:", " {tables: [x]}", "[", "]", "{", "}", ": "]  # noqa: RUF005
    + ["- ", "&a ", "*a ", "!!str ", "? ", "|\n", ">\n", "'", '"', "\t", "#", "\n", "  ", "label:x", "*", "with: "]
    + ["keep_last", "4", "~", "<<: "]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=25).map("".join))
def test_any_broken_rulebook_gives_problems_never_an_exception(text: str) -> None:
    assert is_sound(load({"r": "version: 1\nrules:\n" + text}))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.text(max_size=4))
def test_any_damage_gives_problems_never_an_exception(at: int, cut: int, put: str) -> None:
    assert is_sound(load({"r": GOOD[:at] + put + GOOD[at + cut :]}))
