"""Built-in functions and operators of MySQL and MariaDB that give a value for every value and never fail in a SELECT.

Only these may be put on a masked column, since failing would tell the value. MySQL gives NULL and a warning where
others fail: the session hides warnings where something is hidden, and whatever may be NULL for a value that is not is
`hollow`, so that its mask is NULL. What is not listed fails for some values: BIGINT and DOUBLE out of range, JSON and
XML that is none, regular expressions that take too long, shapes, packed dates ...

MySQL manual, chapter "Functions and Operators"; MariaDB documentation, "Built-in Functions".
"""

from __future__ import annotations

from typing import Final


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: NULL where an argument is NULL, and nowhere else.
FIRM: Final = words("""
    ascii bit_length char_length character_length charset coercibility collation concat concat_ws count crc32 crc32c
    cume_dist dense_rank field find_in_set first_value group_concat hex isnull json_arrayagg json_quote last_value lcase
    length lengthb locate lower ltrim max md5 min octet_length ord percent_rank position quote rank reverse row_number
    rtrim sha sha1 soundex strcmp to_base64 trim ucase upper instr any_value lag lead bin oct default_of
""")
#: The same while all arguments but the first are constants.
WITH_CONSTANTS: Final = words("""
    left right substr substring mid substring_index replace lpad rpad repeat insert sha2 date_format time_format format
    nth_value
""")
#: NULL for some values: for dates that are none, for texts that are no numbers of their kind ...
HOLLOW: Final = words("""
    date day dayname dayofmonth dayofweek dayofyear from_base64 hour inet6_aton inet6_ntoa inet_aton inet_ntoa is_ipv4
    is_ipv6 is_uuid json_valid last_day microsecond minute month monthname nullif quarter second time to_days to_seconds
    unhex unix_timestamp week weekday weekofyear year yearweek datediff elt
""")
#: The unit comes first, as a constant.
OF_UNITS: Final = words("extract timestampdiff")
#: Total on numbers of known size.
OF_NUMBERS: Final = words("""
    abs avg ceil ceiling floor round sign std stddev stddev_pop stddev_samp sum truncate var_pop var_samp variance
""")
#: On values of the type JSON, with constant paths; of which texts are JSON the functions fail.
OF_JSON: Final = words("""
    json_extract json_unquote json_keys json_length json_type json_depth json_contains_path json_pretty
    json_storage_size json_value
""")
GATHERING: Final = words("group_concat json_arrayagg json_objectagg")
REPEATING: Final = words("repeat")
PADDING: Final = words("lpad rpad")
REPLACING: Final = words("replace")

#: Operators and constructs that are total on any operands.
OPERATORS: Final = words("""
    = <> < > <= >= and or not xor in not_in between not_between is_null is_not_null is_true is_not_true is_false
    is_not_false is_unknown is_not_unknown is_not_distinct coalesce nullif greatest least case row list collate binary
    convert_using default default_of distinct interval user_variable system_variable sounds_like match nvl2
""")
#: of these the pattern must be a constant
PATTERNS: Final = words("like not_like")
JSON_PATHS: Final = words("-> ->>")
#: may be NULL for values that are not: `x = 1 OR NULL`, `x IN (1, NULL)`
MAYBE_NULL: Final = words("nullif -> ->> / % div nvl2 convert_using and or in not_in between not_between match")
CHOICES: Final = words("coalesce greatest least")
#: casts in a SELECT; a text that does not fit gives a warning
CASTS: Final = words("char varchar nchar binary character")
NUMBER_CASTS: Final = words("signed unsigned integer int decimal dec numeric")
MOMENT_CASTS: Final = words("date datetime time timestamp")
