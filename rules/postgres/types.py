"""PostgreSQL's built-in types, as pg_type has had them since version 12."""

from __future__ import annotations

from typing import Any, Final

from rules.catalog import Type
from rules.postgres.expressions import modifiers

#: name, OID, OID of its array type, typtype, typcategory, the name format_type prints
_BUILT_IN: Final = """
bool | 16 | 1000 | b | B | boolean
bytea | 17 | 1001 | b | U | bytea
char | 18 | 1002 | b | Z | "char"
name | 19 | 1003 | b | S | name
int8 | 20 | 1016 | b | N | bigint
int2 | 21 | 1005 | b | N | smallint
int2vector | 22 | 1006 | b | A | int2vector
int4 | 23 | 1007 | b | N | integer
regproc | 24 | 1008 | b | N | regproc
text | 25 | 1009 | b | S | text
oid | 26 | 1028 | b | N | oid
tid | 27 | 1010 | b | U | tid
xid | 28 | 1011 | b | U | xid
cid | 29 | 1012 | b | U | cid
oidvector | 30 | 1013 | b | A | oidvector
json | 114 | 199 | b | U | json
xml | 142 | 143 | b | U | xml
pg_node_tree | 194 | 0 | b | Z | pg_node_tree
point | 600 | 1017 | b | G | point
path | 602 | 1019 | b | G | path
polygon | 604 | 1027 | b | G | polygon
cidr | 650 | 651 | b | I | cidr
float4 | 700 | 1021 | b | N | real
float8 | 701 | 1022 | b | N | double precision
circle | 718 | 719 | b | G | circle
macaddr8 | 774 | 775 | b | U | macaddr8
money | 790 | 791 | b | N | money
macaddr | 829 | 1040 | b | U | macaddr
inet | 869 | 1041 | b | I | inet
aclitem | 1033 | 1034 | b | U | aclitem
bpchar | 1042 | 1014 | b | S | character
varchar | 1043 | 1015 | b | S | character varying
date | 1082 | 1182 | b | D | date
time | 1083 | 1183 | b | D | time without time zone
timestamp | 1114 | 1115 | b | D | timestamp without time zone
timestamptz | 1184 | 1185 | b | D | timestamp with time zone
interval | 1186 | 1187 | b | T | interval
timetz | 1266 | 1270 | b | D | time with time zone
bit | 1560 | 1561 | b | V | bit
varbit | 1562 | 1563 | b | V | bit varying
numeric | 1700 | 1231 | b | N | numeric
refcursor | 1790 | 2201 | b | U | refcursor
regprocedure | 2202 | 2207 | b | N | regprocedure
regoper | 2203 | 2208 | b | N | regoper
regoperator | 2204 | 2209 | b | N | regoperator
regclass | 2205 | 2210 | b | N | regclass
regtype | 2206 | 2211 | b | N | regtype
uuid | 2950 | 2951 | b | U | uuid
txid_snapshot | 2970 | 2949 | b | U | txid_snapshot
pg_lsn | 3220 | 3221 | b | U | pg_lsn
pg_ndistinct | 3361 | 0 | b | Z | pg_ndistinct
pg_dependencies | 3402 | 0 | b | Z | pg_dependencies
tsvector | 3614 | 3643 | b | U | tsvector
tsquery | 3615 | 3645 | b | U | tsquery
gtsvector | 3642 | 3644 | b | U | gtsvector
regconfig | 3734 | 3735 | b | N | regconfig
regdictionary | 3769 | 3770 | b | N | regdictionary
jsonb | 3802 | 3807 | b | U | jsonb
int4range | 3904 | 3905 | r | R | int4range
numrange | 3906 | 3907 | r | R | numrange
tsrange | 3908 | 3909 | r | R | tsrange
tstzrange | 3910 | 3911 | r | R | tstzrange
daterange | 3912 | 3913 | r | R | daterange
int8range | 3926 | 3927 | r | R | int8range
jsonpath | 4072 | 4073 | b | U | jsonpath
regnamespace | 4089 | 4090 | b | N | regnamespace
regrole | 4096 | 4097 | b | N | regrole
regcollation | 4191 | 4192 | b | N | regcollation
int4multirange | 4451 | 6150 | m | R | int4multirange
nummultirange | 4532 | 6151 | m | R | nummultirange
tsmultirange | 4533 | 6152 | m | R | tsmultirange
tstzmultirange | 4534 | 6153 | m | R | tstzmultirange
datemultirange | 4535 | 6155 | m | R | datemultirange
int8multirange | 4536 | 6157 | m | R | int8multirange
pg_brin_bloom_summary | 4600 | 0 | b | Z | pg_brin_bloom_summary
pg_brin_minmax_multi_summary | 4601 | 0 | b | Z | pg_brin_minmax_multi_summary
pg_mcv_list | 5017 | 0 | b | Z | pg_mcv_list
pg_snapshot | 5038 | 5039 | b | U | pg_snapshot
xid8 | 5069 | 271 | b | U | xid8
"""


def _rows() -> list[list[str]]:
    return [line.split(" | ") for line in _BUILT_IN.strip().splitlines()]


BUILT_IN_TYPES: Final[tuple[Type, ...]] = tuple(
    made
    for name, oid, array, kind, category, _ in _rows()
    for made in (
        Type(int(oid), "pg_catalog", name, kind, category),
        Type(int(array), "pg_catalog", f"_{name}", "b", "A", int(oid)),
    )
)

#: internal name -> (name as format_type prints it, OID, OID of the array type)
TYPE_NAMES: Final[dict[str, tuple[str, int, int]]] = {
    name: (printed, int(oid), int(array)) for name, oid, array, _, _, printed in _rows()
}


def modifier_of(body: dict[str, Any]) -> int:
    """The p and s of numeric(p, s) as pg_attribute.atttypmod has them; -1 for other types."""
    given = modifiers(body)
    if not given or body["names"][-1]["String"]["sval"] != "numeric":
        return -1
    return ((given[0] << 16) | (given[1] & 0x7FF if len(given) > 1 else 0)) + 4
