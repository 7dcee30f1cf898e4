"""The error texts that the gate writes: refusals, and the server's own errors with the data taken out.

The server's words about a statement can carry values (`Duplicate entry 'ada@example.org' for key 'email'`, a cast's
`Truncated incorrect INTEGER value: '...'`, a trigger's SIGNAL). Where a statement touches data that the role may not
see whole, the text is made anew from the error number alone.
Numbers and SQLSTATEs: MySQL manual, "Server Error Message Reference"; MariaDB's agree on those that are named here.
"""

from __future__ import annotations

import re
from typing import Final

from protocols.mysql.replies import Err
from rules.decision import ROW_CHECK_FAILED, Refusal

DENIED: Final = (1142, "42000")  # ER_TABLEACCESS_DENIED_ERROR
SYNTAX: Final = (1064, "42000")  # ER_PARSE_ERROR
#: The refusals' SQLSTATEs, which are PostgreSQL's -> what a MySQL client knows.
CODES: Final = {
    "42501": DENIED,
    "42601": SYNTAX,
    "42883": (1305, "42000"),  # ER_SP_DOES_NOT_EXIST
    "0A000": (1235, "42000"),  # ER_NOT_SUPPORTED_YET
    "22021": (1300, "HY000"),  # ER_INVALID_CHARACTER_STRING
    "26000": (1243, "HY000"),  # ER_UNKNOWN_STMT_HANDLER
    "53400": (1226, "42000"),  # ER_USER_LIMIT_REACHED
    "54000": (1317, "70100"),  # ER_QUERY_INTERRUPTED
    "57014": (1317, "70100"),
    "55000": (1105, "HY000"),  # ER_UNKNOWN_ERROR
    "58030": (1105, "HY000"),
}
#: What the server would refuse as well: the law -> the server's own code for it.
OF_LAWS: Final = {
    "dbgate:unknown-relation": (1146, "42S02"),
    "dbgate:column": (1054, "42S22"),  # ER_BAD_FIELD_ERROR
    "dbgate:from-entry": (1054, "42S22"),
    "dbgate:delete-table": (1109, "42S02"),  # ER_UNKNOWN_TABLE
    "dbgate:ambiguous": (1052, "23000"),  # ER_NON_UNIQ_ERROR
    "dbgate:alias": (1247, "42S22"),  # ER_ILLEGAL_REFERENCE
    "dbgate:insert": (1136, "21S01"),  # ER_WRONG_VALUE_COUNT_ON_ROW
    "dbgate:values": (1136, "21S01"),
    "dbgate:set-operation": (1222, "21000"),  # ER_WRONG_NUMBER_OF_COLUMNS_IN_SELECT
    "dbgate:database": (1046, "3D000"),  # ER_NO_DB_ERROR
    **dict.fromkeys(
        (
            *("dbgate:syntax", "dbgate:unknown-node", "dbgate:comment", "dbgate:name", "dbgate:function-name"),
            *("dbgate:nul", "dbgate:parser-disagreement", "dbgate:too-complex"),
        ),
        SYNTAX,
    ),
}
#: The same about a name, in the server's own words.
NAMED: Final = {
    "dbgate:unknown-relation": "Table '{}' doesn't exist",
    "dbgate:column": "Unknown column '{}'",
    "dbgate:from-entry": "Unknown column '{}'",
    "dbgate:ambiguous": "Column '{}' is ambiguous",
    "dbgate:function": "{} does not exist",
}
UNKNOWN_COMMAND: Final = Err(1047, "08S01", b"Unknown command")
UNKNOWN_THREAD: Final = 1094  # ER_NO_SUCH_THREAD

#: errno -> what it means, for the errors that an agent meets.
MEANINGS: Final = {
    1022: "a duplicate key",
    1048: "a column cannot be null",
    1062: "a unique key would have a duplicate entry",
    1136: "the number of columns and of values differ",
    1169: "a unique constraint is violated",
    1216: "a foreign key constraint fails",
    1217: "a foreign key constraint fails",
    1241: "the operand has another number of columns",
    1242: "the subquery returns more than 1 row",
    1264: "a value is out of range for its column",
    1265: "a value was truncated",
    1292: "an incorrect value for its type",
    1364: "a column has no default value",
    1365: "division by zero",
    1366: "an incorrect value for its column",
    1406: "a value is too long for its column",
    1411: "an incorrect value for a function",
    1416: "cannot get a geometry object from the value",
    1451: "a foreign key constraint fails: a row is still referenced",
    1452: "a foreign key constraint fails: the row that it names is not there",
    1525: "an incorrect value for its type",
    1526: "the table has no partition for a value",
    1586: "a unique key would have a duplicate entry",
    1644: "the statement was stopped by a SIGNAL",
    1690: "a value is out of range",
    3140: "an invalid JSON text",
    3141: "an invalid JSON text",
    3143: "an invalid JSON path",
    3819: "a check constraint is violated",
    4025: "a constraint is violated",
}
#: Errors whose words come from the session's own doing (its transaction, its names, a kill), never from rows.
ABOUT_THE_SESSION: Final = frozenset(
    (
        *(1046, 1049, 1053, 1094, 1099, 1100, 1158, 1159, 1160, 1161),  # no database, shutdown, locks, network
        *(1179, 1192, 1205, 1206, 1213, 1223, 1305, 1317, 1568, 1614, 1615, 1792),  # transactions, locks, interrupts
        *(1927, 1969, 3024, 3058, 3100, 4031),  # killed, timeouts
        *(1210, 1243, 1461, 2013, 2057),  # prepared statements
    )
)
#: Errors about the client's own text, found before a row was read. What was spliced in could be quoted.
ABOUT_THE_TEXT: Final = frozenset(
    (1052, 1054, 1055, 1056, 1060, 1064, 1066, 1109, 1110, 1111, 1140, 1142, 1143, 1146, 1222, 1248, 1318, 1370, 1582)
)
WITHHELD: Final = "dbgate withheld the server's own words: the statement touches data that your role may not see whole"
#: MESSAGE_TEXT's most characters, and what needs no quoting in it.
LONGEST_SIGNAL: Final = 128
UNQUOTED: Final = re.compile(r"[^A-Za-z0-9:_. -]")


def code_of(refusal: Refusal) -> tuple[int, str]:
    """(errno, SQLSTATE): the server's own where it would refuse the statement as well."""
    return OF_LAWS.get(refusal.rule) or CODES.get(refusal.sqlstate, DENIED)


def message_of(refusal: Refusal) -> str:
    """What happened, in MySQL's words."""
    return NAMED[refusal.rule].format(refusal.about) if refusal.about and refusal.rule in NAMED else refusal.message


def refusal_error(refusal: Refusal) -> Err:
    """The ERR of a refused statement: what, which rule and why, what to do instead, in one text."""
    errno, sqlstate = code_of(refusal)
    parts = (message_of(refusal), refusal.detail, refusal.hint)
    return Err(errno, sqlstate, ". ".join(part.rstrip(". ") for part in parts if part).encode("utf-8", "replace"))


def signal(refusal: Refusal) -> bytes:
    """The statement that takes a refused one's place: it fails in the same way, and changes nothing else."""
    errno, sqlstate = code_of(refusal)
    told = UNQUOTED.sub(" ", f"{message_of(refusal)} {refusal.rule}")[:LONGEST_SIGNAL]
    return f"SIGNAL SQLSTATE '{sqlstate}' SET MYSQL_ERRNO = {errno}, MESSAGE_TEXT = '{told}'".encode()


def without_data(told: Err, spliced: bool, calls_user: bool) -> Err:
    """The same error without words that could hold a value. `spliced`: row filters stand in the text; `calls_user`:
    code that the gate has not read ran, whose own texts may be put together from data."""
    if told.errno in ABOUT_THE_SESSION or (told.errno in ABOUT_THE_TEXT and not (spliced or calls_user)):
        return told
    meaning = MEANINGS.get(told.errno) or f"the server reported error {told.errno}"
    return Err(told.errno, told.sqlstate, f"{meaning}. {WITHHELD}".encode())


def failed_check(told: Err, check: Refusal | None) -> Refusal | None:
    """The refusal that the server's error stands for: a check that was spliced into a write has failed."""
    return check if told.sqlstate == ROW_CHECK_FAILED else None
