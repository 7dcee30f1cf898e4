"""The session's own world, as the server tells it on the session's own connection.

What an open transaction has created, changed or dropped, and temporary relations, nobody else sees: only a question
from inside can tell. Rows of the system catalogs that the transaction has written carry its transaction ID or a later
one (of its savepoints), which finds them; rows of others' later transactions come along and are as true. What has been
dropped is not among the relations that the session sees.

The question runs under the client's search path, so every name in it is qualified, operators too. A view's definition
comes in that path's terms and is kept with it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from rules.catalog import Catalog, Column, Relation, Type
from rules.matching import is_system_schema
from rules.own_world import TEMPORARY, OwnWorld

#: What stands for more in the question: [=] for the built-in operator, pg. for pg_catalog, <word> for another part.
_OPERATOR: Final = re.compile(r"\[([^]\w]+)\]")
_NAME: Final = re.compile(r"\bpg\.")
_PART: Final = re.compile(r"<(\w+)>")

#: Between <written> and <until>: the xmin of a row that this transaction has written, or one that began later. Computed
#: columns: servers before 15 note the column as what depends, later ones its expression. 1259, 2604 and 2618 are the
#: OIDs of pg_class, pg_attrdef and pg_rewrite.
_PARTS: Final[dict[str, str]] = {
    "question": """
WITH RECURSIVE edge(age) AS (
  SELECT pg.age(((pg.txid_current_if_assigned() [&] 4294967295)::pg.text)::pg.xid)),
changed(oid) AS ((
  SELECT c.oid FROM pg.pg_class c WHERE c.relnamespace [=] pg.pg_my_temp_schema() OR <written>c.xmin<until>
  UNION SELECT a.attrelid FROM pg.pg_attribute a WHERE <written>a.xmin<until>
  UNION SELECT f.adrelid FROM pg.pg_attrdef f WHERE <written>f.xmin<until>
  UNION SELECT i.inhrelid FROM pg.pg_inherits i WHERE <written>i.xmin<until>
  UNION SELECT r.ev_class FROM pg.pg_rewrite r WHERE <written>r.xmin<until>
  UNION SELECT g.tgrelid FROM pg.pg_trigger g WHERE <written>g.xmin<until>)
  UNION SELECT r.ev_class FROM changed c
    JOIN pg.pg_depend d ON d.refclassid [=] 1259 AND d.refobjid [=] c.oid AND d.classid [=] 2618
    JOIN pg.pg_rewrite r ON r.oid [=] d.objid),
seen(oid, schema, name, kind) AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind
  FROM pg.pg_class c JOIN pg.pg_namespace n ON n.oid [=] c.relnamespace
  WHERE pg.strpos('rpvmfSc', c.relkind::pg.text) [>] 0 AND NOT pg.pg_is_other_temp_schema(n.oid)
    AND n.nspname [!~] '^(pg_catalog|information_schema|pg_toast.*)$')
SELECT pg.json_build_object(
  'path', pg.current_schemas(true),
  'temp', (SELECT n.nspname FROM pg.pg_namespace n WHERE n.oid [=] pg.pg_my_temp_schema()),
  'schemas', ARRAY(SELECT n.nspname FROM pg.pg_namespace n WHERE n.nspname [!~] '^pg_(toast|temp)'),
  'seen', CASE WHEN pg.txid_current_if_assigned() IS NOT NULL THEN ARRAY(SELECT s.oid FROM seen s) END,
  'relations', ARRAY(<relations>), 'types', ARRAY(<types>))::pg.text""",
    "written": "(pg.txid_current_if_assigned() IS NOT NULL AND pg.age(",
    "until": ") [<=] (SELECT e.age FROM edge e))",
    "relations": """
SELECT pg.json_build_array(s.oid, s.schema, s.name, s.kind,
  CASE WHEN s.kind [=] 'v' OR s.kind [=] 'm' THEN pg.pg_get_viewdef(s.oid) END, ARRAY(<columns>),
  ARRAY(SELECT i.inhparent FROM pg.pg_inherits i WHERE i.inhrelid [=] s.oid ORDER BY i.inhseqno),
  EXISTS (SELECT 1 FROM pg.pg_trigger g WHERE g.tgrelid [=] s.oid AND NOT g.tgisinternal))
FROM seen s JOIN changed c ON c.oid [=] s.oid ORDER BY s.oid""",
    "columns": """
SELECT pg.json_build_array(a.attname, a.attnum, a.atttypid,
  CASE WHEN n.nspname [=] 'pg_catalog' THEN pg.format_type(t.oid, NULL) END,
  n.nspname, coalesce(e.typname, t.typname), e.oid IS NOT NULL, ARRAY(<computed_from>), a.attgenerated [<>] '',
  a.atttypmod)
FROM pg.pg_attribute a JOIN pg.pg_type t ON t.oid [=] a.atttypid JOIN pg.pg_namespace n ON n.oid [=] t.typnamespace
  LEFT JOIN pg.pg_type e ON e.oid [=] t.typelem AND t.typcategory [=] 'A'
WHERE a.attrelid [=] s.oid AND a.attnum [>] 0 AND NOT a.attisdropped ORDER BY a.attnum""",
    "computed_from": """
SELECT d.refobjsubid FROM pg.pg_depend d
WHERE d.classid [=] 1259 AND d.objid [=] s.oid AND d.objsubid [=] a.attnum AND <another_column>
UNION
SELECT d.refobjsubid FROM pg.pg_attrdef f JOIN pg.pg_depend d ON d.classid [=] 2604 AND d.objid [=] f.oid
WHERE f.adrelid [=] s.oid AND f.adnum [=] a.attnum AND <another_column>""",
    "another_column": """
d.refclassid [=] 1259 AND d.refobjid [=] s.oid AND d.refobjsubid [>] 0 AND d.refobjsubid [<>] a.attnum""",
    "types": """
SELECT pg.json_build_array(t.oid, n.nspname, t.typname, t.typtype, t.typcategory,
  CASE WHEN t.typtype [=] 'd' THEN t.typbasetype
    WHEN t.typtype [=] 'r' THEN (SELECT r.rngsubtype FROM pg.pg_range r WHERE r.rngtypid [=] t.oid)
    ELSE t.typelem END,
  ARRAY(SELECT l.enumlabel FROM pg.pg_enum l WHERE l.enumtypid [=] t.oid ORDER BY l.enumsortorder))
FROM pg.pg_type t JOIN pg.pg_namespace n ON n.oid [=] t.typnamespace
WHERE t.typnamespace [=] pg.pg_my_temp_schema() OR <written>t.xmin<until> ORDER BY t.oid""",
}


def _whole(part: str) -> str:
    return _PART.sub(lambda found: _whole(_PARTS[found[1]]), part)


WORLD: Final = _NAME.sub("pg_catalog.", _OPERATOR.sub(r"OPERATOR(pg_catalog.\1)", _whole(_PARTS["question"])))
"""One row, one value: a JSON object (`read_world`)."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer. `path`: the effective schemas in order, the session's own temporary one called pg_temp."""

    path: tuple[str, ...]
    world: OwnWorld | None


def read_world(answer: str, shared: Catalog) -> Told:
    """What the answer to WORLD says; no world where the session sees what all see. Raises ValueError for no answer."""
    told = json.loads(answer)
    temporary = told["temp"] or ""
    path = own_path(told["path"], temporary)
    relations = tuple(_relation(row, temporary, path) for row in told["relations"])
    types = tuple(_type(row, temporary) for row in told["types"])
    gone = _gone(told["seen"], shared)
    if not (temporary or relations or types or gone):
        return Told(path, None)
    return Told(path, OwnWorld(relations, gone, types, frozenset(told["schemas"]), temporary))


def own_path(schemas: list[str] | tuple[str, ...], temporary: str) -> tuple[str, ...]:
    return tuple(_own(schema, temporary) for schema in schemas)


def _own(schema: str, temporary: str) -> str:
    return TEMPORARY if schema == temporary else schema


def _gone(seen: list[str] | None, shared: Catalog) -> frozenset[int]:
    """What the shared catalog has and the session does not see; `seen` None: its transaction has written nothing."""
    if seen is None:
        return frozenset()
    there = {int(oid) for oid in seen}
    return frozenset(r.oid for r in shared.relations if r.oid not in there and not is_system_schema(r.schema))


def _relation(row: list[Any], temporary: str, path: tuple[str, ...]) -> Relation:
    oid, schema, name, kind, definition, columns, parents, triggers = row
    return Relation(
        int(oid),
        _own(schema, temporary),
        name,
        kind,
        tuple(_column(column, temporary) for column in columns),
        definition,
        tuple(int(parent) for parent in parents),
        triggers,
        path if definition is not None else (),
    )


def _column(row: list[Any], temporary: str) -> Column:
    name, number, type_oid, built_in, schema, type_name, array, computed_from, generated, modifier = row
    printed = f"{_quoted(_own(schema, temporary))}.{_quoted(type_name)}" + "[]" * array
    if built_in is not None:
        printed = built_in.removeprefix("pg_catalog.")
    return Column(name, number, printed, int(type_oid), tuple(computed_from), generated, modifier)


_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _type(row: list[Any], temporary: str) -> Type:
    oid, schema, name, kind, category, element, labels = row
    return Type(int(oid), _own(schema, temporary), name, kind, category, int(element), tuple(labels))
