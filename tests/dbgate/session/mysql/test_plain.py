"""Commands beside COM_QUERY and prepared statements, in a session against a model server."""

from __future__ import annotations

import pytest

from dbgate.session.mysql.login import SessionLogin
from dbgate.session.outcome import CloseSession
from protocols.mysql import commands
from protocols.mysql.replies import decode_err
from tests.dbgate.session.mysql.fakes import LOGIN, MARIADB, new_session, packet, query


@pytest.mark.parametrize(("login", "ends"), [(LOGIN, True), (MARIADB, False)])
def test_a_change_of_user_fails_as_in_the_server(login: SessionLogin, ends: bool) -> None:
    outcome = new_session(login=login).client_sent(
        packet(commands.ChangeUser(b"agent\0\0shop\0")) + query("SELECT 1"), 1
    )
    told = decode_err(outcome.to_client[4:])
    assert (told.errno, told.sqlstate) == (1045, "28000")
    assert b"open a new connection as the other user" in told.message
    assert outcome.to_upstream == (packet(commands.Quit()) if ends else query("SELECT 1"))
    assert any(isinstance(wish, CloseSession) for wish in outcome.wishes) is ends
