"""A MySQL server's information_schema as a Catalog, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from dbgate.catalog.mysql import FINGERPRINT, QUERIES, SETTINGS, Row, build, fingerprint, read_catalog, server_version


def column(table: str, number: int, name: str, kind: str = "int", **more: str) -> Row:
    return (
        more.get("schema", "shop"), table, str(number), name, kind, more.get("unsigned", "0"), more.get("extra", ""),
        more.get("expression", ""), more.get("precision"), more.get("scale"),
    )  # fmt: skip


ROWS: dict[str, list[Row]] = {
    "server": [("9.7.4-2", "0", "shop")],
    "databases": [("shop",), ("information_schema",)],
    "relations": [
        ("shop", "Customers", "BASE TABLE", "InnoDB"),
        ("shop", "vip", "VIEW", None),
        ("shop", "all_orders", "BASE TABLE", "MRG_MyISAM"),
        ("shop", "far", "BASE TABLE", "FEDERATED"),
        ("information_schema", "TABLES", "SYSTEM VIEW", None),
    ],
    "columns": [
        column("Customers", 2, "Email", "varchar"),
        column("Customers", 1, "ID", unsigned="1"),
        column("Customers", 3, "pay", "decimal", precision="10", scale="2"),
        column("Customers", 4, "shown", "varchar", extra="VIRTUAL GENERATED", expression="concat(`Email`,`nothing`)"),
        column("Customers", 5, "hid", extra="INVISIBLE"),
        column("vip", 1, "mail", "varchar"),
        column("TABLES", 1, "TABLE_NAME", "varchar", schema="information_schema"),
    ],
    "views": [("shop", "vip", "select `shop`.`Customers`.`Email` AS `mail` from `shop`.`Customers`")],
    "routines": [("shop", "Total", "FUNCTION"), ("shop", "clean", "PROCEDURE")],
    "triggers": [("shop", "Customers", "t1")],
}


class TestBuild:
    def test_a_table(self) -> None:
        customers = build(ROWS, "v").by_name["shop", "Customers"]
        assert [(c.name, c.type, c.number) for c in customers.columns[:2]] == [
            ("id", "int unsigned", 1),
            ("email", "varchar", 2),
        ]
        assert (customers.kind, customers.triggers) == ("r", True)
        assert customers.column("pay").modifier == (10 << 16 | 2) + 4  # type: ignore[union-attr]

    def test_generated_and_invisible_columns(self) -> None:
        catalog = build(ROWS, "v")
        assert catalog.generated == {("shop", "Customers", "shown"): ("email",)}
        assert [c.name for c in catalog.by_name["shop", "Customers"].columns if c.invisible] == ["hid"]

    @pytest.mark.parametrize(("name", "kind"), [("vip", "v"), ("all_orders", "?"), ("far", "f")])
    def test_what_is_no_plain_table(self, name: str, kind: str) -> None:
        assert build(ROWS, "v").by_name["shop", name].kind == kind

    def test_information_schema_is_the_same_in_any_case(self) -> None:
        assert ("information_schema", "tables") in build(ROWS, "v").by_name

    def test_the_server(self) -> None:
        catalog = build(ROWS, "v")
        assert (catalog.dialect, catalog.server_version, catalog.default_schema) == ("mysql", 90704, "shop")
        assert catalog.foreign_servers

    def test_routines(self) -> None:
        assert [(f.name, f.kind) for f in build(ROWS, "v").functions] == [("total", "f"), ("clean", "p")]

    def test_a_server_that_folds_names(self) -> None:
        catalog = build({**ROWS, "server": [("10.11.19-MariaDB", "1", "Shop")]}, "v")
        assert ("shop", "customers") in catalog.by_name
        assert (catalog.dialect, catalog.default_schema, catalog.lower_case_table_names) == ("mariadb", "shop", 1)

    def test_oids_are_the_same_for_the_same_contents(self) -> None:
        turned = {name: list(reversed(rows)) for name, rows in ROWS.items()}
        assert build(ROWS, "v").relations == build(turned, "v").relations


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8.0.36", ("mysql", 80036)),
        ("9.7.4-2", ("mysql", 90704)),
        ("10.11.19-MariaDB-0+deb12u1", ("mariadb", 101119)),
        ("5.5.5-10.6.7-MariaDB", ("mariadb", 100607)),
    ],
)
def test_versions(text: str, found: tuple[str, int]) -> None:
    assert server_version(text) == found


def test_a_version_of_something_else() -> None:
    with pytest.raises(ValueError, match="no version"):
        server_version("PostgreSQL")


class Server:
    """Answers as ROWS say. `changes`: how many fingerprints differ from the one before."""

    def __init__(self, changes: int = 0) -> None:
        self.asked: list[str] = []
        self.changes = changes
        self.state = 0

    async def __call__(self, sql: str) -> list[Row]:
        self.asked.append(sql)
        if sql == SETTINGS:
            return []
        if sql == FINGERPRINT:
            self.state += self.changes > 0
            self.changes -= 1
            return [("server", str(self.state), "1", "2")]
        return next(ROWS[name] for name, text in QUERIES.items() if text == sql)


class TestReading:
    def test_settings_then_fingerprint_then_the_rest_between_two(self) -> None:
        server = Server()
        asyncio.run(read_catalog(server))
        assert server.asked == [SETTINGS, FINGERPRINT, *QUERIES.values(), FINGERPRINT]

    def test_one_question_when_nothing_has_changed(self) -> None:
        known = asyncio.run(read_catalog(Server()))
        server = Server()
        assert asyncio.run(read_catalog(server, known)) is known
        assert server.asked == [SETTINGS, FINGERPRINT]

    def test_again_when_it_changed_meanwhile(self) -> None:
        server = Server(changes=3)
        catalog = asyncio.run(read_catalog(server))
        assert server.asked.count(QUERIES["columns"]) == 3
        assert not catalog.version.endswith("+")

    def test_what_never_stands_still_does_not_hold(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dbgate.catalog.mysql._PATIENCE", 0.0)
        catalog = asyncio.run(read_catalog(Server(changes=100)))
        assert catalog.version.endswith("+")

    def test_faults_pass_through(self) -> None:
        async def broken(sql: str) -> list[Row]:
            raise ConnectionError("gone")

        with pytest.raises(ConnectionError):
            asyncio.run(read_catalog(broken))


def test_fingerprints_do_not_go_by_the_order_of_rows() -> None:
    rows: list[Row] = [("a", "1"), ("b", None)]
    turned: Callable[[list[Row]], list[Row]] = lambda found: list(reversed(found))  # noqa: E731
    assert fingerprint(rows) == fingerprint(turned(rows)) != fingerprint(rows[:1])
