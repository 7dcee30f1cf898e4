"""Which WHERE clauses choose no rows."""

from __future__ import annotations

import pytest

from rules.lineage.always import truth
from rules.postgres import read
from rules.tree import Delete, Unparsable


def truth_of(condition: str) -> bool | None:
    found = read(f"DELETE FROM t WHERE {condition}")
    assert not isinstance(found, Unparsable)
    body = found[0].body
    assert isinstance(body, Delete)
    assert body.where is not None
    return truth(body.where)


ALWAYS = """
true
'true'
't'::boolean
1 = 1
1 = 1.0
2 > 1
1 <> 2
'a' = 'a'
'a' <> 'b'
NOT false
NOT (1 = 2)
NOT (id <> id)
id = id
t.id = id
t.id = t.id
id >= id
id IN (id)
id IN (1, id)
id BETWEEN id AND id
id IS NOT DISTINCT FROM id
id + 1 = id + 1
lower = lower AND 1 = 1
id > 5 OR true
id IS NOT NULL OR true
id IS NULL OR id IS NOT NULL
id > 5 OR id <= 5
id = 5 OR id <> 5
name LIKE 'a%' OR name NOT LIKE 'a%'
(id = 5) OR NOT (id = 5)
id > 5 OR name = 'x' OR id <= 5
(id = id) IS TRUE
(1 = 2) IS NOT TRUE
name LIKE '%'
name ~ '.*'
EXISTS (SELECT 1)
coalesce(true, id > 5)
1 IS NOT NULL
'x' = 'x' AND (id = id OR id = 3)
""".strip().splitlines()

NOT_CERTAIN = """
id = 1
id = other
t.id = u.id
id > 5 OR id > 7
id > 5 OR name <= 5
id = 5 AND true
id IN (1, 2)
random() = random()
random() < 0.5 OR random() >= 0.5
name LIKE 'a%'
id = $1
$1
NULL
EXISTS (SELECT 1 FROM t)
EXISTS (SELECT 1 WHERE id = 3)
id IS NOT NULL
coalesce(id > 5, true)
id OPERATOR(s.=) id
""".strip().splitlines()


@pytest.mark.parametrize("condition", ALWAYS)
def test_true_for_every_row(condition: str) -> None:
    assert truth_of(condition) is True
    assert truth_of(f"NOT ({condition})") is False


@pytest.mark.parametrize("condition", NOT_CERTAIN)
def test_a_condition_that_may_choose(condition: str) -> None:
    assert truth_of(condition) is None
