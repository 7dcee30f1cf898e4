"""The demo's agent on MySQL: an ordinary client (PyMySQL), its answers as `dbgate.demo.agent` has them."""

from __future__ import annotations

from typing import Any

import pymysql

from dbgate.demo.agent import Answer, Failure
from dbgate.demo.script import Step


def ask(connection: Any, step: Step) -> Answer:
    """Run a step's statement and collect what came back. Several results are not expected."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(step.sql)
            if cursor.description is None:
                return Answer(tag=f"{cursor.rowcount} rows affected")
            return Answer(tuple(each[0] for each in cursor.description), tuple(cursor.fetchall()))
    except pymysql.MySQLError as error:
        return Answer(failure=_failure(error))


def _failure(error: pymysql.MySQLError) -> Failure:
    """The protocol has one text: what, why and what to do instead stand in it one after the other."""
    number, text = (*error.args, "", "")[:2]
    what, _, why = str(text).partition(". ")
    return Failure(str(number), what, why, "")
