"""psql scripts are taken apart as psql would send them."""

from __future__ import annotations

import pytest

from dbgate.psql_scripts import texts


def first(script: str) -> list[str]:
    return [" ".join(versions[0].split()) for versions in texts(script)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("select 1; select 2;\n", ["select 1", "select 2"]),
        ("select ';', \";\", $$;$$, $a$;$$;$a$;", ["select ';', \";\", $$;$$, $a$;$$;$a$"]),
        ("select e'\\';', 'a\\'; select 1;", ["select e'\\';', 'a\\'", "select 1"]),
        ("select 1 /* ; /* nested ; */ */ + 2; -- ;\n", ["select 1 + 2", "-- ;"]),
        ("select 1 \\; select 2;", ["select 1 ; select 2"]),
        ("create rule r as on insert to t do (select 1; select 2);", None),
        ("create function f() returns int begin atomic select case when a then 1 end; select 2; end;", None),
        ("create table begin_x (a int); begin; end;", ["create table begin_x (a int)", "begin", "end"]),
        ("\\d t\nselect 1;\\dt\n", ["select 1"]),
        ("select 1 as a \\gset\nselect 2 \\g\nselect 3;", ["select 1 as a", "select 2", "select 3"]),
        ("select 1\n\\r\nselect 2;", ["select 2"]),
        ("select a::int, b[1:2];", ["select a::int, b[1:2]"]),
        ("copy t from stdin;\n1\t;\n\\.\nselect 1;", ["copy t from stdin", "select 1"]),
        ("-- why\ncopy t (a) from stdin;\nx\n\\.\nselect 1;", ["-- why copy t (a) from stdin", "select 1"]),
        ("copy nowhere from stdin;\nselect 1;\ncopy t from stdin;\n2\n\\.\n", None),
        ("copy t from stdin\\; copy t from stdin;\n1\n\\.\n2\n\\.\nselect 1;", None),
        ("\\copy t from stdin\n1\n\\.\nselect 1;", ["select 1"]),
        ("set standard_conforming_strings = off; select '\\''; set standard_conforming_strings = on; select 1;",
         ["set standard_conforming_strings = on", "select 1"]),
    ],
)  # fmt: skip
def test_texts(script: str, expected: list[str] | None) -> None:
    last = {
        "create rule": ["create rule r as on insert to t do (select 1; select 2)"],
        "create func": ["create function f() returns int begin atomic select case when a then 1 end; select 2; end"],
        "copy nowher": ["copy nowhere from stdin", "select 1", "copy t from stdin"],
        "copy t from": ["copy t from stdin; copy t from stdin", "select 1"],
    }
    assert first(script) == (expected if expected is not None else last[script[:11]])


def test_variables() -> None:
    script = "\\set n 5\n\\set name 'It''s'\n\\set both :n '/x'\nselect :n, :'name', :\"name\", :'both';"
    assert first(script) == ["select 5, 'It''s', \"It's\", '5/x'"]


def test_a_variable_of_unknown_value_is_a_value_or_a_name() -> None:
    assert list(texts("select * from :what;")) == [("select * from :what", "select * from 1", "select * from what")]
    assert first("select :'what', :\"what\";") == ["select 'what', \"what\""]


def test_anything_ends() -> None:
    for script in ("'", '"', "$$", "/*", "\\", ":", "copy t from stdin;", "(;", "\\set", "\\set a"):
        assert len(list(texts(script))) <= 2
