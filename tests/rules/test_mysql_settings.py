"""Which variables a client may set: what drivers send passes, what changes the reading of texts never does."""

from __future__ import annotations

import pytest

from rules.mysql_settings import FIXED, HARMLESS, PINNED, STEERING, objection
from rules.tree import Unparsable
from tests.rules.mysql.utility.reading import read_text


def objections(text: str, brand: str, *, unrestricted: bool) -> list[str]:
    found = read_text(text, brand)
    assert not isinstance(found, Unparsable), (text, found.reason)
    made = (objection(setting, unrestricted=unrestricted) for each in found for setting in each.settings)
    return [words for words in made if words is not None]


#: what drivers, ORMs and tools send when they connect, word for word
SENT = [
    "SET NAMES utf8mb4",
    "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'",
    "SET AUTOCOMMIT = 0",
    "SET @@session.autocommit = OFF",
    "SET sql_mode='STRICT_TRANS_TABLES'",
    "SET character_set_results = NULL",
    "SET SQL_AUTO_IS_NULL = 0",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET foreign_key_checks=0",
    "SET time_zone='+00:00'",
    "SET @@SESSION.sql_mode = CONCAT(CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), ',NO_AUTO_VALUE_ON_ZERO'),"
    "  @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483",
    "set session sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    "set autocommit=1, session_track_schema=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES')",
    "SET session_track_system_variables = CONCAT(@@session_track_system_variables, ',transaction_isolation')",
    "SET SESSION character_set_results = 'binary'",
    "SET SESSION information_schema_stats_expiry=0",
    "SET SESSION NET_READ_TIMEOUT= 86400, SESSION NET_WRITE_TIMEOUT= 86400",
    "SET SQL_QUOTE_SHOW_CREATE=1",
    "/*!40100 SET @@SQL_MODE='' */",
    "/*!40103 SET TIME_ZONE='+00:00' */",
    "SET sql_select_limit=DEFAULT",
    "SET SQL_SELECT_LIMIT = 100",
    "SET SESSION max_execution_time = 1000",
    "SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0",
    "SET profiling = 0",
    "USE shop",
]


@pytest.mark.parametrize("brand", ["mysql", "mariadb"])
@pytest.mark.parametrize("text", SENT)
def test_what_drivers_send_passes(text: str, brand: str) -> None:
    assert objections(text, brand, unrestricted=False) == []


#: refused for everybody: the gate would read texts, or rows, otherwise than the server
READING = [
    "SET sql_mode = 'ANSI'",
    "SET sql_mode = ANSI_QUOTES",
    "SET SQL_MODE := 'STRICT_ALL_TABLES, no_backslash_escapes '",
    "SET sql_mode = 4",
    "SET sql_mode = 0x414E5349",
    "SET sql_mode = b'100'",
    "SET sql_mode = _utf8mb4'PIPES_AS_CONCAT'",
    "SET session_track_system_variables = @names",
    "SET resultset_metadata = @how",
    "SET GLOBAL sql_mode = @mode",
    "SET sql_mode = CONCAT(@mode, '')",
    "SET sql_mode = DEFAULT",
    "SET sql_mode = @@global.sql_mode",
    "SET sql_mode = CONCAT(@@sql_mode, 'X')",
    "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
    "SET sql_mode = (SELECT mode FROM t)",
    "SET GLOBAL sql_mode = 'ORACLE'",
    "SET @@global.wait_timeout = 1, sql_mode = 'IGNORE_SPACE'",
    "SET GLOBAL wait_timeout = 1, sql_mode = 'HIGH_NOT_PRECEDENCE'",
    "SET NAMES gbk",
    "SET NAMES binary",
    "SET NAMES DEFAULT",
    "SET NAMES utf8mb4 COLLATE gbk_bin",
    "SET CHARACTER SET sjis",
    "SET character_set_client = big5",
    "SET character_set_client = 28",
    "SET character_set_client = @@character_set_server",
    "SET character_set_results = ucs2",
    "SET collation_connection = 'gbk_chinese_ci'",
    "SET session_track_system_variables = ''",
    "SET resultset_metadata = NONE",
]


@pytest.mark.parametrize("text", READING)
@pytest.mark.parametrize("unrestricted", [False, True])
def test_what_changes_the_reading_is_for_nobody(text: str, unrestricted: bool) -> None:
    assert objections(text, "mysql", unrestricted=unrestricted)


def test_set_statement_goes_by_the_same_law() -> None:
    assert objections("SET STATEMENT sql_mode='ANSI_QUOTES' FOR SELECT 1", "mariadb", unrestricted=True)
    assert not objections("SET STATEMENT max_statement_time=1 FOR SELECT 1", "mariadb", unrestricted=False)


#: for roles without restrictions only
GUARDED = [
    "SET GLOBAL wait_timeout = 1",
    "SET PERSIST sql_notes = 0",
    "SET sql_log_bin = 0",
    "SET optimizer_switch = 'index_merge=off'",
    "SET optimizer_trace = 'enabled=on'",
    "SET max_sort_length = 4",
    "SET profiling = 1",
    "SET default_storage_engine = FEDERATED",
    "SET session_track_schema = OFF",
    "SET gtid_next = AUTOMATIC",
    "SET debug = 'd'",
    "SET pseudo_thread_id = 5",
    "SET hot.key_buffer_size = 100",
    "SET anything = 1",
]


@pytest.mark.parametrize("text", GUARDED)
def test_what_unrestricted_roles_may_set(text: str) -> None:
    assert objections(text, "mysql", unrestricted=False)
    assert not objections(text, "mysql", unrestricted=True)


def test_user_variables_are_free() -> None:
    assert not objections("SET @sql_mode = 'ANSI', @x = (SELECT 1)", "mysql", unrestricted=False)


def test_no_variable_is_in_two_lists() -> None:
    lists = [set(PINNED), set(FIXED), set(HARMLESS), set(STEERING)]
    assert sum(map(len, lists)) == len(set().union(*lists))
