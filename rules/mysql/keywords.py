"""Words of the two grammars, as MySQL 9 and MariaDB 10.11 take them (each was put to both servers in every position).

A reserved word cannot be a name unless it is quoted or stands directly after a dot.
"""

from __future__ import annotations

from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a text: how lists of words are written here."""
    return frozenset(text.split())


_BOTH: Final = words("""
    accessible add all alter analyze and as asc asensitive before between bigint binary blob both by call cascade
    case change char character check collate column condition constraint continue convert create cross current_date
    current_time current_timestamp current_user cursor databases day_hour day_microsecond day_minute day_second dec
    decimal declare default delayed delete desc describe deterministic distinct distinctrow div double drop dual
    each else elseif enclosed escaped except exists exit explain false fetch float float4 float8 for force foreign
    from fulltext grant group having high_priority hour_microsecond hour_minute hour_second if ignore in index
    infile inner inout insensitive insert int int1 int2 int3 int4 int8 integer intersect interval into is iterate
    join key keys kill leading leave left like limit linear lines load localtime localtimestamp lock long longblob
    longtext loop low_priority match maxvalue mediumblob mediumint mediumtext middleint minute_microsecond
    minute_second mod modifies natural no_write_to_binlog not null numeric on optimize optionally or order out outer
    outfile over partition precision primary procedure purge range read read_write reads real recursive references
    regexp release rename repeat replace require resignal restrict return revoke right rlike row_number rows schemas
    second_microsecond select sensitive separator set show signal smallint spatial specific sql sql_big_result
    sql_calc_found_rows sql_small_result sqlexception sqlstate sqlwarning ssl starting straight_join table
    terminated then tinyblob tinyint tinytext to trailing trigger true undo union unique unlock unsigned update
    usage use using utc_date utc_time utc_timestamp values varbinary varchar varcharacter varying when where while
    with write xor year_month zerofill
""")
_MYSQL: Final = words("""
    cube cume_dist database dense_rank empty external first_value function generated get grouping groups
    io_after_gtids io_before_gtids json_table lag last_value lateral lead library nth_value ntile of optimizer_costs
    option percent_rank qualify rank row schema stored system tablesample virtual window
""")
_MARIADB: Final = words("""
    current_role delete_domain_id do_domain_ids ignore_domain_ids master_demote_to_replica master_demote_to_slave
    master_ssl_verify_server_cert offset page_checksum parse_vcol_expr portion ref_system_id returning
    stats_auto_recalc stats_persistent stats_sample_pages
""")

RESERVED: Final = {"mysql": _BOTH | _MYSQL, "mariadb": _BOTH | _MARIADB}

_FUNCTIONS: Final = words("""
    adddate bit_and bit_or bit_xor cast count curdate curtime date_add date_sub extract group_concat json_arrayagg
    json_objectagg max mid min now position session_user st_collect std stddev stddev_pop stddev_samp subdate substr
    substring sum sysdate system_user trim var_pop var_samp variance
""")
#: Built-in only when the bracket follows at once; with a space between, the server looks for a stored function of that
#: name unless sql_mode has IGNORE_SPACE.
TIGHT_FUNCTIONS: Final = {
    "mysql": _FUNCTIONS | words("json_duality_object"),
    "mariadb": _FUNCTIONS
    | words("""
        cume_dist dense_rank first_value lag last_value lead median nth_value ntile percent_rank percentile_cont
        percentile_disc rank row_number
    """),
}

#: Character sets that `_name` before a literal names. Both servers have no others built in.
CHARACTER_SETS: Final = words("""
    armscii8 ascii big5 binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 dec8 eucjpms euckr gb18030 gb2312 gbk
    geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin1 latin2 latin5 latin7 macce macroman sjis swe7 tis620 ucs2 ujis
    utf16 utf16le utf32 utf8 utf8mb3 utf8mb4
""")
