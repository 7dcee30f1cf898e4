"""Built-in functions and operators that are total: whatever the value, they give exactly one value and never fail.

Only these may be put on a masked column, since failing or returning more rows would tell the value. Sources: PostgreSQL
documentation, chapter "Functions and Operators"; each was thought through for overflow, domain, length, encoding, array
dimension and parse errors. What is not listed is not total: set-returning functions, those that parse text, ...
"""

from __future__ import annotations

from typing import Final


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Total on any arguments.
TOTAL: Final = words("""
    abs age any_value array_dims array_length array_lower array_ndims array_position array_to_json array_to_string
    array_upper ascii avg bit_length bool_and bool_or btrim cardinality ceil ceiling char_length character_length concat
    concat_ws count cume_dist dense_rank every first_value floor hashtext hashtextextended host initcap isempty isfinite
    json_agg json_build_array json_strip_nulls json_typeof jsonb_agg jsonb_build_array jsonb_pretty jsonb_strip_nulls
    jsonb_typeof justify_days justify_hours lag last_value lead length lower ltrim masklen max md5 min mode num_nonnulls
    num_nulls octet_length percent_rank pg_column_size pg_typeof position quote_ident quote_literal quote_nullable rank
    reverse round row_number row_to_json rtrim sha224 sha256 sha384 sha512 sign starts_with stddev stddev_pop
    stddev_samp string_agg strpos sum to_json to_jsonb trunc upper var_pop var_samp variance xmlagg xmlconcat
""")

#: Total while every argument but the one that is worked on is a constant: its bad values fail whatever the data is.
WITH_CONSTANTS: Final = words("""
    date_part date_trunc encode extract json_extract_path json_extract_path_text jsonb_extract_path
    jsonb_extract_path_text left lpad nth_value overlay regexp_count regexp_like regexp_match regexp_replace
    regexp_substr repeat replace right rpad split_part substr substring timezone to_char translate
""")

#: Of the total ones, those that are so with so many arguments at most.
MOST_ARGUMENTS: Final = {"array_position": 2, "length": 1}

#: Window functions that look at a row so far away.
OFFSET: Final = words("lag lead")

#: Of those, the ones whose first argument is the constant.
CONSTANT_FIRST: Final = words("date_part date_trunc extract timezone")

#: Of those, the ones that take whatever count or place.
COUNTED: Final = words("left right substr substring")

#: Total while the path has nothing in it that compares or computes.
PATHS: Final = words("jsonb_path_exists jsonb_path_query_first jsonb_path_query_array")

#: Total with this encoding, which has every character.
ENCODING: Final = words("convert_to")
UTF8: Final = frozenset({"UTF8", "UTF-8", "UNICODE"})

#: Total on stored columns as they are; computed arrays of different sizes would not go together.
ON_COLUMNS: Final = words("array_agg array_append array_cat array_prepend array_remove array_replace range_agg")

#: Total while the first argument is a constant, whatever the others are.
AFTER_CONSTANT: Final = words("format percentile_cont percentile_disc")

#: Total but for their keys, every other argument from the first.
KEYED: Final = words("json_build_object jsonb_build_object json_object_agg jsonb_object_agg")

#: Aggregates that sort their arguments and return them: the order shows in nothing else.
ORDERED: Final = words("percentile_cont percentile_disc mode")

#: How results grow: by a count, to a length, by a constant for each match, over many rows.
REPEATING: Final = words("repeat")
PADDING: Final = words("lpad rpad")
REPLACING: Final = words("replace regexp_replace")
GATHERING: Final = words("""
    string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg json_objectagg json_arrayagg xmlagg
""")

#: Operators whose value is made of all operands.
JOINING: Final = words("""
    || + - * array row list xmlconcat xmlelement xmlforest json_object json_array
""")

#: What can give NULL for values that are not: it tells whether they were equal, matched or were there.
MAYBE_NULL: Final = words("""
    nullif -> ->> #> #>> subscript slice array_position array_length array_lower array_upper array_dims array_ndims
    regexp_substr regexp_match substring json_extract_path json_extract_path_text jsonb_extract_path
    jsonb_extract_path_text json_value json_query jsonb_path_query_first
""")

#: Of a range: NULL where it is empty or has no such bound.
BOUNDS: Final = words("lower upper")

#: Operators and constructs of the query tree (rules.postgres.expressions) that are total on any operands.
OPERATORS: Final = words("""
    = <> != < > <= >= and or not in not_in between not_between between_symmetric not_between_symmetric is_null
    is_not_null is_true is_not_true is_false is_not_false is_unknown is_not_unknown is_distinct is_not_distinct || ->
    ->> #> #>> @> <@ ? ?| ?& && coalesce nullif greatest least case row array list collate default variadic
    json_object json_array json_objectagg json_arrayagg is_json xmlconcat xmlelement xmlforest grouping
""")

#: Pattern matches: total while the pattern is a constant.
PATTERNS: Final = words("~ ~* !~ !~* like not_like ilike not_ilike similar not_similar ~~ !~~ ~~* !~~* ^@")

#: What is taken out of an array: total while the places are constants.
PLACES: Final = words("subscript slice")

#: Types whose products do not overflow for values that a table holds and small constants.
UNBOUNDED: Final = ("numeric", "double precision", "real", "interval", "timestamp", "date", "money")

#: The time, constant within a statement or not.
CLOCKS: Final = words("""
    now transaction_timestamp statement_timestamp clock_timestamp current_date current_time current_timestamp localtime
    localtimestamp
""")

#: Targets of casts that take every value of every type.
TEXTS: Final = frozenset({"text", "varchar", "bpchar", "character varying", "character"})
