"""Built-in functions of MySQL 8 and 9 and MariaDB 10 and 11 that compute from their arguments, or tell of the session,
and do nothing else. Made by asking the servers themselves: every word in their programs was tried as a function.

A function that is on no list here is refused, so that one of a version to come is as well.
"""

from __future__ import annotations

from typing import Final

_NUMBERS: Final = """
abs acos asin atan atan2 bin bit_count ceil ceiling conv cos cot crc32 crc32c degrees div exp floor format format_bytes
format_pico_time greatest hex interval least ln log log10 log2 mod oct pi pow power radians rand random_bytes round sign
sin sqrt tan truncate
"""
_TEXTS: Final = """
ascii bit_length char char_length character character_length charset chr coercibility collation concat
concat_operator_oracle concat_ws convert decode_oracle elt export_set field find_in_set from_base64 insert instr lcase
left length lengthb locate lower lpad lpad_oracle ltrim ltrim_oracle make_set mid natural_sort_key octet_length ord
position quote regexp_instr regexp_like regexp_replace regexp_substr repeat replace replace_oracle reverse right rpad
rpad_oracle rtrim rtrim_oracle sformat soundex space strcmp substr substr_oracle substring substring_index to_base64
to_char trim trim_oracle ucase unhex upper weight_string
"""
_TIMES: Final = """
add_months adddate addtime convert_tz curdate current_date current_time current_timestamp curtime date date_add
date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear extract from_days from_unixtime get_format hour
last_day localtime localtimestamp makedate maketime microsecond minute month monthname now period_add period_diff
quarter sec_to_time second str_to_date subdate subtime sysdate time time_format time_to_sec timediff timestamp
timestampadd timestampdiff to_days to_seconds unix_timestamp utc_date utc_time utc_timestamp week weekday weekofyear
year yearweek
"""
_CHOICES: Final = """
any_value coalesce default grouping if ifnull isnull name_const nullif nvl nvl2 row values value
"""
_SECRETS: Final = """
aes_decrypt aes_encrypt compress decode des_decrypt des_encrypt encode encrypt etag inet6_aton inet6_ntoa inet_aton
inet_ntoa is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 is_uuid bin_to_uuid md5 old_password password sha sha1 sha2
statement_digest statement_digest_text sys_guid uncompress uncompressed_length uuid uuid_short uuid_to_bin
validate_password_strength
"""
#: what tells of the session; LAST_INSERT_ID(expression) is looked at where it is read
_SESSION: Final = """
connection_id current_role current_user database found_rows icu_version last_insert_id row_count rownum schema
session_user system_user user version version_with_update
"""
_JSON: Final = """
json_array json_array_append json_array_insert json_compact json_contains json_contains_path json_depth json_detailed
json_equals json_exists json_extract json_insert json_keys json_length json_loose json_merge json_merge_patch
json_merge_preserve json_normalize json_object json_overlaps json_pretty json_query json_quote json_remove json_replace
json_schema_valid json_schema_validation_report json_search json_set json_storage_free json_storage_size json_table
json_type json_unquote json_valid json_value member_of
column_add column_check column_create column_delete column_exists column_get column_json column_list extractvalue
updatexml match
"""
_AGGREGATES: Final = """
avg bit_and bit_or bit_xor count group_concat json_arrayagg json_objectagg max median min percentile_cont
percentile_disc std stddev stddev_pop stddev_samp sum var_pop var_samp variance
cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
"""
_VECTORS: Final = """
distance from_vector string_to_vector to_vector vec_distance vec_distance_cosine vec_distance_euclidean vec_fromtext
vec_totext vector_dim vector_to_string
"""
_SHAPES: Final = """
area asbinary astext aswkb aswkt boundary buffer centroid contains convexhull crosses dimension disjoint endpoint
envelope equals exteriorring geomcollection geomcollfromtext geomcollfromwkb geometrycollection
geometrycollectionfromtext geometrycollectionfromwkb geometryfromtext geometryfromwkb geometryn geometrytype
geomfromtext geomfromwkb glength interiorringn intersects isclosed isempty isring issimple linefromtext linefromwkb
linestring linestringfromtext linestringfromwkb mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequal mbrequals
mbrintersects mbroverlaps mbrtouches mbrwithin mlinefromtext mlinefromwkb mpointfromtext mpointfromwkb mpolyfromtext
mpolyfromwkb multilinestring multilinestringfromtext multilinestringfromwkb multipoint multipointfromtext
multipointfromwkb multipolygon multipolygonfromtext multipolygonfromwkb numgeometries numinteriorrings numpoints
overlaps point pointfromtext pointfromwkb pointn pointonsurface polyfromtext polyfromwkb polygon polygonfromtext
polygonfromwkb srid startpoint touches within x y
"""
_SPATIAL: Final = """
area asbinary asgeojson astext aswkb aswkt boundary buffer buffer_strategy centroid collect contains convexhull crosses
difference dimension disjoint distance distance_sphere endpoint envelope equals exteriorring frechetdistance geohash
geomcollfromtext geomcollfromtxt geomcollfromwkb geometrycollectionfromtext geometrycollectionfromwkb geometryfromtext
geometryfromwkb geometryn geometrytype geomfromgeojson geomfromtext geomfromwkb hausdorffdistance interiorringn
intersection intersects isclosed isempty isring issimple isvalid latfromgeohash latitude length lineinterpolatepoint
lineinterpolatepoints linefromtext linefromwkb linestringfromtext linestringfromwkb longfromgeohash longitude
makeenvelope mlinefromtext mlinefromwkb mpointfromtext mpointfromwkb mpolyfromtext mpolyfromwkb multilinestringfromtext
multilinestringfromwkb multipointfromtext multipointfromwkb multipolygonfromtext multipolygonfromwkb numgeometries
numinteriorring numinteriorrings numpoints overlaps pointatdistance pointfromgeohash pointfromtext pointfromwkb pointn
pointonsurface polyfromtext polyfromwkb polygonfromtext polygonfromwkb relate simplify srid startpoint swapxy
symdifference touches transform union validate within x y
"""
_REPLICATION: Final = "gtid_subset gtid_subtract decode_histogram"

PURE: Final = frozenset(
    " ".join(
        (
            _NUMBERS, _TEXTS, _TIMES, _CHOICES, _SECRETS, _SESSION, _JSON, _AGGREGATES, _VECTORS, _SHAPES, _REPLICATION,
        )
    ).split()
) | {f"st_{name}" for name in _SPATIAL.split()}  # fmt: skip
