"""PostgreSQL extensions whose functions and operators only compute from their arguments.

What belongs to an extension is told by the server (pg_depend, deptype e), so a function that merely has such a name is
not meant. With citext, hstore or vector installed the symbols `=`, `->` or `<->` have meanings of theirs; were those
taken for a user's code, nothing could be compared any more without a rule.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Read through function by function; what does more than compute is in `_DOING_MORE`.
COMPUTING: Final = _words(
    """
    btree_gin btree_gist bloom citext cube dict_int dict_xsyn earthdistance fuzzystrmatch hll hstore intagg intarray
    ip4r isn ltree pg_trgm pg_uuidv7 pgcrypto postgis prefix seg semver tablefunc tsm_system_rows tsm_system_time
    unaccent uuid-ossp uint vector"""
)

#: Declared VOLATILE, and yet only a result that differs from call to call.
_RANDOM: Final = _words(
    """
    gen_random_bytes gen_random_uuid gen_salt normal_rand pgp_pub_encrypt pgp_pub_encrypt_bytea pgp_sym_encrypt
    pgp_sym_encrypt_bytea st_generatepoints uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuid_generate_v7
    uuidv7"""
)

#: They read tables or statistics that their arguments name.
_DOING_MORE: Final = _words(
    """
    find_srid st_estimatedextent st_findextent postgis_extensions_upgrade postgis_full_version postgis_type_name
    populate_geometry_columns _postgis_stats _postgis_selectivity _postgis_join_selectivity _postgis_index_extent
    connectby crosstab"""
)

#: Overloads of built-in functions that are as total as those: for the same reasons, on texts.
_TOTAL: Final = {"citext": _words("max min regexp_match regexp_replace replace split_part strpos translate")}
#: Of those, the ones that give NULL where the built-in function does not.
HOLLOW: Final = _words("split_part")
#: Operators that are total elsewhere: on arrays with NULLs, a coordinate that is not there, sketches of other sizes.
_FAILING: Final = {"intarray": _words("&& @> <@"), "cube": _words("->"), "hll": _words("||"), "vector": _words("||")}


def is_total(extension: str, name: str) -> bool:
    return name in _TOTAL.get(extension, ())


def may_fail(extension: str, symbol: str) -> bool:
    """An operator of the extension that fails for some of its operands."""
    return symbol in _FAILING.get(extension, ())


def computes(extension: str, name: str, volatility: str) -> bool:
    """Does the extension's function only compute? `volatility` as pg_proc.provolatile: i, s or v."""
    if extension not in COMPUTING or name in _DOING_MORE:
        return False
    return volatility in ("i", "s") or name in _RANDOM
