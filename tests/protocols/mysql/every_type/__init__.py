"""A table with a column of every type, and its definitions and rows as MySQL 9.7 and MariaDB 10.11 sent them.

Four rows: large values, small ones, zeros (by an sql_mode that lets zero dates in), and NULLs. The JSON files hold the
payloads as hexadecimal text: of the definitions, of the text rows and of the same rows in binary. They come from the
statements of `setup` and `SELECT * FROM every_type ORDER BY n`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from protocols.mysql.capabilities import Capability
from protocols.mysql.replies import ColumnDefinition, decode_definition

BRANDS = ("mysql", "mariadb")
HERE = Path(__file__).parent
#: bytes of a binary value by column type; the others have their length in front
WIDTHS = {1: 1, 2: 2, 13: 2, 3: 4, 9: 4, 4: 4, 8: 8, 5: 8}

#: name and type, then the values of the large, the small and the zero row
COLUMNS: tuple[tuple[str, str, str, str, str], ...] = (
    ("ti", "tinyint", "127", "-128", "0"),
    ("tu", "tinyint unsigned", "255", "0", "0"),
    ("b1", "bool", "1", "0", "0"),
    ("si", "smallint", "32767", "-32768", "0"),
    ("su", "smallint unsigned", "65535", "0", "0"),
    ("mi", "mediumint", "8388607", "-8388608", "0"),
    ("mu", "mediumint unsigned", "16777215", "0", "0"),
    ("i", "int", "2147483647", "-2147483648", "0"),
    ("iu", "int unsigned", "4294967295", "0", "0"),
    ("iz", "int(8) zerofill", "42", "0", "0"),
    ("bi", "bigint", "9223372036854775807", "-9223372036854775808", "0"),
    ("bu", "bigint unsigned", "18446744073709551615", "0", "0"),
    ("de", "decimal(10,2)", "99999999.99", "-99999999.99", "0"),
    ("deu", "decimal(5,0) unsigned", "99999", "0", "0"),
    ("d65", "decimal(65,30)", "12345678901234567890123456789012345.123456789012345678901234567890", "-1.5", "0"),
    ("f", "float", "3.4e38", "-3.4e38", "0"),
    ("f2", "float(7,2)", "12345.67", "-12345.67", "0"),
    ("d", "double", "1.7976931348623157e308", "-1.7976931348623157e308", "0"),
    ("d2", "double(10,3)", "1234567.891", "-0.001", "0"),
    ("b", "bit(1)", "b'1'", "b'0'", "b'0'"),
    ("b10", "bit(10)", "b'1111111111'", "b'0'", "b'0'"),
    ("b64", "bit(64)", "0xFFFFFFFFFFFFFFFF", "0", "0"),
    ("y", "year", "2155", "1901", "0"),
    ("da", "date", "'9999-12-31'", "'1000-01-01'", "'0000-00-00'"),
    ("dt", "datetime", "'9999-12-31 23:59:59'", "'1000-01-01 00:00:00'", "'0000-00-00 00:00:00'"),
    ("dt3", "datetime(3)", "'2024-02-29 12:34:56.789'", "'0001-01-01 00:00:00.001'", "'0000-00-00 00:00:00'"),
    ("dt6", "datetime(6)", "'2024-02-29 12:34:56.789012'", "'2024-02-29 00:00:00'", "'0000-00-00 00:00:00'"),
    ("ts", "timestamp null", "'2037-12-31 23:59:59'", "'1970-01-02 00:00:01'", "'0000-00-00 00:00:00'"),
    ("ts6", "timestamp(6) null", "'2024-02-29 12:34:56.789012'", "'2024-02-29 00:00:00'", "'0000-00-00 00:00:00'"),
    ("tm", "time", "'838:59:59'", "'-838:59:59'", "'0'"),
    ("tm3", "time(3)", "'12:34:56.789'", "'-00:00:00.001'", "'0'"),
    ("tm6", "time(6)", "'838:59:58.999999'", "'-12:34:56.000001'", "'0'"),
    ("c", "char(10)", "'secret'", "''", "'x'"),
    ("v", "varchar(20)", "'sécret-value'", "''", "'x'"),
    ("vl", "varchar(20) character set latin1", "'secret-é'", "''", "'x'"),
    ("va", "varchar(20) character set ascii", "'secret-va'", "''", "'x'"),
    ("vb", "varchar(20) character set utf8mb4 collate utf8mb4_bin", "'secret-vb'", "''", "'x'"),
    ("bn", "binary(4)", "0xDEADBEEF", "''", "'x'"),
    ("vbn", "varbinary(20)", "0xCAFEBABE00", "''", "'x'"),
    ("tt", "tinytext", "'secret-tt'", "''", "'x'"),
    ("t", "text", "'secret-t'", "''", "'x'"),
    ("mt", "mediumtext", "'secret-mt'", "''", "'x'"),
    ("lt", "longtext", "'secret-lt'", "''", "'x'"),
    ("tb", "tinyblob", "'secret-tb'", "''", "'x'"),
    ("bl", "blob", "'secret-bl'", "''", "'x'"),
    ("mb", "mediumblob", "'secret-mb'", "''", "'x'"),
    ("lb", "longblob", "'secret-lb'", "''", "'x'"),
    ("e", "enum('a','b','é')", "'b'", "'a'", "''"),
    ("s", "set('x','y','z')", "'x,z'", "''", "''"),
    ("j", "json", '\'{"secret": [1, "é"]}\'', "'null'", "'[]'"),
    (
        "g",
        "geometry",
        "ST_GeomFromText('POINT(1 2)')",
        "ST_GeomFromText('LINESTRING(0 0,1 1)')",
        "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1))')",
    ),
    ("p", "point", "ST_GeomFromText('POINT(3 4)')", "ST_GeomFromText('POINT(0 0)')", "null"),
    (
        "po",
        "polygon",
        "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')",
        "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')",
        "null",
    ),
)
OWN_COLUMNS: dict[str, tuple[tuple[str, str, str, str, str], ...]] = {
    "mysql": (("ve", "vector(3)", "STRING_TO_VECTOR('[1,2,3]')", "STRING_TO_VECTOR('[1]')", "null"),),
    "mariadb": (
        ("u", "uuid", "'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000000'", "null"),
        ("i6", "inet6", "'2001:db8::1'", "'::'", "null"),
        ("i4", "inet4", "'10.1.2.3'", "'0.0.0.0'", "null"),
    ),
}


def setup(brand: str) -> list[str]:
    """The statements that make the table `every_type` in the default database."""
    columns = (*COLUMNS, *OWN_COLUMNS[brand])
    names = ", ".join(name for name, *_ in columns)
    defined = ", ".join(f"{name} {kind}" for name, kind, *_ in columns)
    rows = [", ".join(column[row] for column in columns) for row in (2, 3, 4)]
    return [
        "SET sql_mode = ''",
        "DROP TABLE IF EXISTS every_type",
        f"CREATE TABLE every_type (n int AUTO_INCREMENT PRIMARY KEY, {defined}) DEFAULT CHARSET utf8mb4",
        *(f"INSERT INTO every_type ({names}) VALUES ({row})" for row in rows),
        "INSERT INTO every_type () VALUES ()",
    ]


def length(data: bytes) -> tuple[int, int]:
    """A length-encoded integer, and how many bytes it takes."""
    if data[0] < 0xFB:
        return data[0], 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[data[0]]
    return int.from_bytes(data[1 : 1 + size], "little"), 1 + size


@dataclass(frozen=True)
class Recorded:
    """Payloads. `text` and `binary` hold the same four rows."""

    definitions: tuple[ColumnDefinition, ...]
    text: tuple[bytes, ...]
    binary: tuple[bytes, ...]

    def rows(self, binary: bool) -> tuple[bytes, ...]:
        return self.binary if binary else self.text

    def cells(self, payload: bytes, binary: bool) -> tuple[bytes | None, ...]:
        """The row's values, taken apart in the plainest way."""
        nulls = int.from_bytes(payload[1 : 1 + (len(self.definitions) + 9) // 8], "little") >> 2 if binary else 0
        rest = payload[1 + (len(self.definitions) + 9) // 8 :] if binary else payload
        found: list[bytes | None] = []
        for column, definition in enumerate(self.definitions):
            if nulls >> column & 1 or (not binary and rest[0] == 0xFB):
                found.append(None)
                rest = rest if binary else rest[1:]
                continue
            size, head = (WIDTHS[definition.type], 0) if binary and definition.type in WIDTHS else length(rest)
            found.append(rest[head : head + size])
            rest = rest[head + size :]
        assert not rest
        return tuple(found)

    def number(self, name: str) -> int:
        return next(n for n, column in enumerate(self.definitions) if column.name == name.encode())


@cache
def recorded(brand: str) -> Recorded:
    found = json.loads((HERE / f"{brand}.json").read_text("ascii"))
    payloads = {key: tuple(bytes.fromhex(line) for line in lines) for key, lines in found.items()}
    definitions = tuple(decode_definition(data, Capability.PROTOCOL_41) for data in payloads["definitions"])
    return Recorded(definitions, payloads["text"], payloads["binary"])
