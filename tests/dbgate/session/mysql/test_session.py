"""A session against a model server: what passes, what is refused, and what the audit has of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dbgate.audit.events import StatementDecided, StatementFinished, WitnessMismatch
from dbgate.session.mysql.login import Limits, SessionLogin
from dbgate.session.mysql.session import MysqlSession
from dbgate.session.outcome import CancelStatement, CloseSession, Kill, Outcome, RefreshCatalog
from protocols.mysql import commands
from protocols.mysql.capabilities import Capability
from protocols.mysql.packets import encode
from protocols.mysql.replies import Err, Ok, decode_err, decode_ok
from tests.dbgate.session.fakes import FakePolicy
from tests.dbgate.session.limits import limits as role_limits
from tests.dbgate.session.mysql.fakes import CAPABILITIES, LOGIN, MARIADB, MysqlPolicy, new_session, packet, query
from tests.dbgate.session.mysql.model_server import VALUE, ModelServer

PREPARE = packet(commands.StmtPrepare(b"SELECT rows 2 ?"))


class Talk:
    """A client, a session and a model server."""

    def __init__(
        self, policy: FakePolicy | None = None, login: SessionLogin = LOGIN, limits: Limits | None = None
    ) -> None:
        self.session: MysqlSession = new_session(policy, limits, login)
        self.server = ModelServer(login.upstream)
        self.events: list[Any] = []
        self.wishes: list[Any] = []

    def send(self, data: bytes) -> bytes:
        """The whole answer to what a client sends."""
        return self._carry(self.session.client_sent(data, 1))

    def _carry(self, outcome: Outcome) -> bytes:
        out = b""
        while True:
            self.events += outcome.events
            self.wishes += outcome.wishes
            out += outcome.to_client
            answer = self.server.receive(outcome.to_upstream)
            if not answer:
                return out
            outcome = self.session.upstream_sent(answer, 2)

    def decided(self) -> list[tuple[str, str]]:
        return [(e.statement, e.verdict) for e in self.events if isinstance(e, StatementDecided)]

    def finished(self) -> list[StatementFinished]:
        return [e for e in self.events if isinstance(e, StatementFinished)]


def native(*sent: bytes, capabilities: Capability = CAPABILITIES) -> bytes:
    server = ModelServer(capabilities)
    return b"".join(server.receive(each) for each in sent)


def error(data: bytes) -> Err:
    assert len(data) == 4 + int.from_bytes(data[:3], "little")
    return decode_err(data[4:])


# ---------------------------------------------------------------- what passes


@pytest.mark.parametrize(
    "sent",
    [
        query("SELECT rows 3"),
        query("INSERT x"),
        query("SELECT rows 2; INSERT y; SELECT rows 0"),
        query("CALL p"),
        query("SELECT fail"),
        packet(commands.Ping()),
        packet(commands.Statistics()),
        packet(commands.SetOption(0)),
        packet(commands.InitDb(b"other")),
        packet(commands.FieldList(b"t")),
        PREPARE,
    ],
)
def test_what_is_allowed_is_untouched(sent: bytes) -> None:
    for unrestricted in (True, False):
        talk = Talk(MysqlPolicy(unrestricted=unrestricted))
        outcome = talk.session.client_sent(sent, 1)
        assert outcome.to_upstream == sent
        assert talk._carry(outcome) == native(sent)
        assert talk.session.idle


def test_the_same_statement_again_goes_the_short_way() -> None:
    talk, sent = Talk(), query("SELECT rows 3")
    for _ in range(3):
        assert talk.send(sent) == native(sent)
    assert talk.decided() == [("SELECT rows 3", "allow")] * 3
    assert [(e.rows, e.command_tag) for e in talk.finished()] == [(3, "ROWS 3")] * 3


def test_each_statement_of_a_text_has_its_own_outcome() -> None:
    talk = Talk()
    talk.send(query("SELECT rows 2; INSERT fail; SELECT rows 1"))
    assert [(e.rows, e.sqlstate) for e in talk.finished()] == [(2, ""), (0, "23000"), (0, "not run")]


def test_commands_wait_for_the_reply_before_them() -> None:
    talk = Talk()
    first, second = query("SELECT rows 1"), query("INSERT x")
    outcome = talk.session.client_sent(first + second, 1)
    assert outcome.to_upstream == first
    assert talk._carry(outcome) == native(first) + native(second)


def test_a_command_in_pieces_is_sent_whole() -> None:
    talk, sent = Talk(), query("SELECT rows 1")
    for at in range(len(sent) - 1):
        assert talk.session.client_sent(sent[at : at + 1], 1).to_upstream == b""
    assert talk.session.client_sent(sent[-1:], 1).to_upstream == sent


# ---------------------------------------------------------------- what is refused


def test_a_refused_statement_fails_in_the_server_with_our_words() -> None:
    talk = Talk()
    told = error(talk.send(query("SELECT forbidden")))
    assert (told.errno, told.sqlstate) == (1142, "42000")
    assert b"forbidden. ask for something else" in told.message
    assert talk.server.ran == []
    assert talk.decided() == [("SELECT forbidden", "refuse")]
    assert talk.finished() == []


def test_one_refused_statement_refuses_the_text() -> None:
    talk = Talk()
    assert error(talk.send(query("INSERT x; SELECT forbidden; INSERT y"))).errno == 1142
    assert talk.server.ran == []


def test_a_refused_prepare_leaves_no_statement() -> None:
    talk = Talk(login=MARIADB)
    assert error(talk.send(packet(commands.StmtPrepare(b"SELECT forbidden")))).errno == 1142
    assert error(talk.send(packet(commands.StmtExecute(0xFFFFFFFF, 0)))).errno == 1243


@pytest.mark.parametrize("code", [7, 8, 10, 13, 16, 18, 19, 21, 29, 30, 32, 0xFA, 0xFE])
def test_closed_commands_are_answered_by_the_gate(code: int) -> None:
    talk = Talk()
    outcome = talk.session.client_sent(encode(bytes([code]) + b"x" * 8, 0), 1)
    assert outcome.to_upstream == b""
    assert error(outcome.to_client).errno == 1227
    assert outcome.to_client[3] == 1
    assert talk.send(packet(commands.Ping())) == native(packet(commands.Ping()))


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x0b", b"\x77abc"])
def test_unknown_commands(payload: bytes) -> None:
    assert error(Talk().send(encode(payload, 0))).errno == 1047


def test_wrong_sequence_ids_end_the_session() -> None:
    talk = Talk()
    outcome = talk.session.client_sent(encode(b"\x0e", 3), 1)
    assert error(outcome.to_client).errno == 1156
    assert isinstance(outcome.wishes[-1], CloseSession)


def test_a_local_file_is_never_asked_of_the_client() -> None:
    talk = Talk()
    outcome = talk.session.client_sent(query("SELECT rows 1"), 1)
    outcome = talk.session.upstream_sent(encode(b"\xfb/etc/passwd", 1), 2)
    assert (outcome.to_client, outcome.to_upstream) == (b"", encode(b"", 2))
    outcome = talk.session.upstream_sent(encode(Ok().encode(CAPABILITIES), 3), 3)
    assert outcome.to_client[3] == 1
    assert b"local-infile" in error(outcome.to_client).message


# ---------------------------------------------------------------- masks and words


def test_masked_rows_in_text_and_in_binary() -> None:
    talk = Talk()
    assert VALUE not in talk.send(query("SELECT masked rows 2"))
    talk.send(packet(commands.StmtPrepare(b"SELECT masked rows 2")))
    answer = talk.send(packet(commands.StmtExecute(1, 0)))
    assert VALUE not in answer
    assert b"************1111" in answer
    assert [e.masked_cells for e in talk.finished()] == [2, 2]


def test_the_server_names_a_masked_column_that_the_plan_left_open() -> None:
    talk = Talk()
    assert VALUE not in talk.send(query("SELECT secret"))
    assert [e.action for e in talk.events if isinstance(e, WitnessMismatch)] == ["masked"]


def test_a_denied_origin_ends_the_session() -> None:
    talk = Talk()
    assert VALUE not in talk.send(query("SELECT denied"))
    assert any(isinstance(wish, CloseSession) for wish in talk.wishes)


def test_a_cursor_is_masked_as_it_is_fetched() -> None:
    talk = Talk()
    talk.send(packet(commands.StmtPrepare(b"SELECT masked rows 3")))
    assert VALUE not in talk.send(packet(commands.StmtExecute(1, 1)))
    answers = [talk.send(packet(commands.StmtFetch(1, 2))) for _ in range(2)]
    assert [answer.count(b"************1111") for answer in answers] == [2, 1]
    assert not any(VALUE in answer for answer in answers)
    assert error(talk.send(packet(commands.StmtFetch(9, 2)))).errno == 1243


def test_no_cursor_no_rows() -> None:
    talk = Talk()
    talk.send(PREPARE)
    assert error(talk.send(packet(commands.StmtFetch(1, 1)))).errno == 1421


def test_words_about_hidden_data_are_withheld() -> None:
    talk = Talk()
    told = error(talk.send(query("INSERT hidden fail")))
    assert (told.errno, told.sqlstate) == (1062, "23000")
    assert b"ada" not in told.message
    assert b"ada" in error(talk.send(query("INSERT fail"))).message


def test_warnings_of_hidden_statements_are_not_told() -> None:
    talk = Talk()
    answer = talk.send(query("INSERT hidden warn"))
    assert decode_ok(answer[4:], CAPABILITIES).warnings == 0
    talk.send(query("SHOW WARNINGS"))
    talk.send(query("SHOW COUNT(*) ERRORS"))
    assert talk.server.ran[1:] == [b"SHOW WARNINGS LIMIT 0", b"SELECT 0 AS `@@session.error_count`"]
    talk.send(query("INSERT open"))
    talk.send(query("SHOW WARNINGS"))
    assert talk.server.ran[-1] == b"SHOW WARNINGS"


@pytest.mark.parametrize("showing", ["SHOW WARNINGS", "SHOW COUNT(*) ERRORS"])
def test_nothing_in_a_text_tells_the_warnings_of_hidden_statements_in_it(showing: str) -> None:
    talk = Talk()
    assert b"diagnostics could tell" in error(talk.send(query(f"INSERT hidden warn; {showing}"))).message
    assert b"diagnostics could tell" in error(talk.send(query(f"INSERT open; INSERT hidden; {showing}"))).message
    talk.send(query(f"INSERT open; {showing}"))
    assert talk.server.ran[-2:] == [b"INSERT open", showing.encode()]


def test_default_values_of_masked_tables_are_not_told() -> None:
    talk = Talk()
    assert VALUE in talk.send(packet(commands.FieldList(b"t")))
    assert VALUE not in talk.send(packet(commands.FieldList(b"masked")))


# ---------------------------------------------------------------- prepared statements


def test_prepared_statements_pass_and_are_recorded() -> None:
    talk = Talk()
    sent = (PREPARE, packet(commands.StmtExecute(1, 0)), packet(commands.StmtExecute(1, 0)))
    assert b"".join(map(talk.send, sent)) == native(*sent)
    assert talk.decided() == [("SELECT rows 2 ?", "allow")] * 2
    assert [e.parameters for e in talk.events if isinstance(e, StatementDecided)] == [1, 1]


def test_unknown_statements_and_those_without_reply() -> None:
    talk = Talk()
    for command in (commands.StmtExecute(5, 0), commands.StmtReset(5)):
        assert error(talk.send(packet(command))).errno == 1243
    assert talk.send(packet(commands.StmtSendLongData(5, 0, b"x")) + packet(commands.StmtClose(5))) == b""
    assert talk.send(packet(commands.Ping())) == native(packet(commands.Ping()))


def test_the_last_prepared_statement_is_named_to_the_server() -> None:
    talk = Talk(login=MARIADB)
    talk.send(PREPARE)
    outcome = talk.session.client_sent(packet(commands.StmtExecute(0xFFFFFFFF, 0)), 1)
    assert outcome.to_upstream == packet(commands.StmtExecute(1, 0))


def test_an_execution_is_decided_again_by_new_rules() -> None:
    talk = Talk()
    talk.send(packet(commands.StmtPrepare(b"SELECT soon")))
    talk.session.policy_changed(MysqlPolicy(closed=True), 3)  # type: ignore[arg-type]
    assert error(talk.send(packet(commands.StmtExecute(1, 0)))).errno == 1142
    assert talk.server.ran == []


def test_prepared_statements_are_bounded() -> None:
    talk = Talk(limits=Limits(prepared=1))
    talk.send(PREPARE)
    assert error(talk.send(PREPARE)).errno == 1226
    talk.send(packet(commands.StmtClose(1)))
    assert talk.send(PREPARE) == native(PREPARE)


def test_filters_are_spliced_into_what_the_server_reads() -> None:
    talk = Talk()
    talk.send(query("SELECT filtered"))
    talk.send(packet(commands.StmtPrepare(b"SELECT filtered")))
    assert talk.server.ran == [b"SELECT filtered WHERE 1"]
    assert talk.server.statements[1] == b"SELECT filtered WHERE 1"


def test_names_of_sql_prepared_statements() -> None:
    talk = Talk()
    talk.send(query("PREPARE s FROM masked"))
    assert error(talk.send(query("EXECUTE other"))).errno == 1243
    talk.send(query("EXECUTE S"))
    talk.send(query("DEALLOCATE s"))
    assert error(talk.send(query("EXECUTE s"))).errno == 1243
    assert error(talk.send(query("PREPARE é FROM x"))).errno == 1142


def test_whose_the_results_behind_an_execute_are_nobody_could_tell() -> None:
    talk = Talk()
    talk.send(query("PREPARE s FROM x"))
    for text in ("EXECUTE s; SELECT masked", "CALL p; SELECT masked"):
        assert error(talk.send(query(text))).errno == 1142


# ---------------------------------------------------------------- the session's state


def test_the_gates_name_of_the_database() -> None:
    talk = Talk()
    talk.send(query("USE store"))
    talk.send(packet(commands.InitDb(b"store")))
    assert talk.server.database == b"shop"
    talk.send(query("USE other"))
    assert talk.session._state.context.search_path == ("other",)


def test_settings_by_which_texts_would_read_otherwise() -> None:
    for text in ("SET sql_mode ANSI_QUOTES", "SET names gbk", "SET sql_mode", "SET character_set_client utf16"):
        talk = Talk()
        assert error(talk.send(query(text))).errno == 1142
        assert talk.server.ran == []


def test_what_follows_a_new_default_database_is_sent_alone() -> None:
    talk = Talk()
    assert error(talk.send(query("USE other; SELECT 1"))).errno == 1142
    assert talk.send(query("SELECT 1; USE other")) == native(query("SELECT 1; USE other"))


def test_names_of_databases_where_the_server_folds_them() -> None:
    policy = MysqlPolicy()
    policy.catalog = replace(policy.catalog, lower_case_table_names=1)
    talk = Talk(policy, login=replace(LOGIN, default_database="Shop"))
    assert talk.session._state.context.search_path == ("shop",)
    talk.send(query("USE OTHER"))
    assert talk.session._state.context.search_path == ("other",)


def test_a_reset_sets_the_pins_again() -> None:
    talk, sent = Talk(), packet(commands.ResetConnection())
    talk.send(PREPARE)
    assert talk.send(sent) == native(sent)
    assert talk.server.ran[0] == b"SET NAMES utf8mb4"
    assert error(talk.send(packet(commands.StmtExecute(1, 0)))).errno == 1243


def test_texts_in_latin1_are_decided_in_utf8() -> None:
    talk = Talk(login=replace(LOGIN, charset="latin1"))
    sent = query("SELECT 'é'".encode("cp1252"))
    assert talk.session.client_sent(sent, 1).to_upstream == sent
    talk = Talk(login=replace(LOGIN, charset="ascii"))
    assert error(talk.send(query(b"SELECT '\xe9'"))).errno == 1300


def test_the_parts_of_a_long_command_are_read_on() -> None:
    talk = Talk()
    sent = query(b"SELECT '" + b"x" * (4 << 20) + b"'")
    for at in range(0, len(sent) - 65536, 65536):
        outcome = talk.session.client_sent(sent[at : at + 65536], 1)
        assert not outcome.hold_client
        assert outcome.to_client == outcome.to_upstream == b""


def test_unknown_names_wait_for_the_catalog() -> None:
    talk = Talk()
    outcome = talk.session.client_sent(query("SELECT unknown_t"), 1)
    assert isinstance(outcome.wishes[0], RefreshCatalog)
    assert outcome.hold_client
    outcome = talk.session.policy_changed(MysqlPolicy(generation=1), 2)  # type: ignore[arg-type]
    assert outcome.to_upstream == query("SELECT unknown_t")


def test_own_structure_is_read_before_the_next_statement() -> None:
    talk = Talk()
    talk.send(query("CREATE x"))
    outcome = talk.session.client_sent(query("SELECT 1"), 1)
    assert isinstance(outcome.wishes[0], RefreshCatalog)
    policy = MysqlPolicy(generation=1)
    assert talk.session.policy_changed(policy, 2).to_upstream == b""  # type: ignore[arg-type]
    assert talk.session.policy_changed(policy, 2).to_upstream == query("SELECT 1")  # type: ignore[arg-type]


# ---------------------------------------------------------------- KILL and limits


@pytest.mark.parametrize("sent", [packet(commands.ProcessKill(7)), query("kill 7"), query("KILL QUERY 7 ;")])
def test_kill_goes_to_the_gateway(sent: bytes) -> None:
    for found, header in ((True, 0), (False, 0xFF)):
        talk = Talk()
        outcome = talk.session.client_sent(sent, 1)
        assert outcome.wishes == [Kill(7, b"QUERY" in sent)]
        assert outcome.to_upstream == b""
        assert talk.session.killed(found, 2).to_client[4] == header
    assert error(talk.send(query("KILL /* other */ 7"))).errno == 1142


def test_a_result_beyond_its_limit_is_ended() -> None:
    talk, sent = Talk(MysqlPolicy(limits=role_limits("rows_per_statement: 2"))), query("SELECT rows 5")
    outcome = talk.session.client_sent(sent, 1)
    outcome = talk.session.upstream_sent(talk.server.receive(outcome.to_upstream), 2)
    assert outcome.to_client.count(VALUE) == 2
    assert isinstance(outcome.wishes[0], CancelStatement)
    told = outcome.to_client.index(b"\xff\x25\x05")
    assert outcome.to_client[told - 1] == 5  # count, definition, two rows before it
    assert talk.session.client_sent(packet(commands.Ping()), 3).to_upstream == b""
    assert talk.session.cancelled(True, 4).to_upstream == packet(commands.Ping())


# ---------------------------------------------------------------- sides that differ


@pytest.mark.parametrize(
    ("flag", "on_client"),
    [
        (Capability.DEPRECATE_EOF, True),
        (Capability.DEPRECATE_EOF, False),
        (Capability.SESSION_TRACK, False),
        (Capability.QUERY_ATTRIBUTES, True),
    ],
)
def test_sides_that_agreed_on_different_forms(flag: Capability, on_client: bool) -> None:
    client = CAPABILITIES | flag if on_client else CAPABILITIES & ~flag
    login = replace(LOGIN, client=client, upstream=client ^ flag)
    talk, server = Talk(login=login), ModelServer(client)
    sent = [
        *(query(text, client) for text in ("SELECT rows 2", "SELECT rows 0; INSERT x; CALL p", "USE other")),
        packet(commands.StmtPrepare(b"SELECT rows 3 ?")),
        packet(commands.StmtExecute(1, 1, execution(client))),
        packet(commands.StmtFetch(1, 2)),
        packet(commands.StmtExecute(1, 0, execution(client))),
        packet(commands.SetOption(1)),
        packet(commands.FieldList(b"t")),
    ]
    for each in sent:
        assert talk.send(each) == server.receive(each)
    assert talk.server.ran == server.ran


def execution(capabilities: Capability) -> bytes:
    """One parameter: NULL bitmap, bound, its type, its value."""
    if Capability.QUERY_ATTRIBUTES in capabilities:
        return b"\x01\x00\x01\x08\x00\x00" + (5).to_bytes(8, "little")
    return b"\x00\x01\x08\x00" + (5).to_bytes(8, "little")


# ---------------------------------------------------------------- the end


def test_the_end_of_a_session() -> None:
    talk = Talk()
    outcome = talk.session.client_sent(packet(commands.Quit()), 1)
    assert (outcome.to_upstream, outcome.to_client) == (packet(commands.Quit()), b"")
    assert isinstance(outcome.wishes[0], CloseSession)


def test_a_session_that_is_ended_tells_the_client() -> None:
    talk = Talk()
    talk.session.client_sent(query("SELECT rows 1"), 1)
    outcome = talk.session.terminate("57P01", "the gate goes down", 2)
    assert outcome.to_client[3] == 1
    assert error(outcome.to_client).errno == 1053


def test_a_server_that_says_goodbye() -> None:
    talk = Talk()
    goodbye = encode(Err(4031, "HY000", b"The client was disconnected by the server because of inactivity").encode(), 0)
    assert talk.session.upstream_sent(goodbye, 2).to_client == goodbye
    assert talk.session.upstream_lost("end of file", 3).to_client == b""
