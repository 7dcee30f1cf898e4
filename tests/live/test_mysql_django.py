"""Django's ORM on MySQL and MariaDB: migrations, models, transactions, introspection; direct and through the gate."""

from __future__ import annotations

import contextlib
import decimal
import io
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.db.models import Avg, Count, F, OuterRef, Subquery, Sum, Window
from django.db.models.functions import RowNumber, Upper

from tests.live.mysql_places import MysqlPlace, Stand

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "set by each test"}},
        INSTALLED_APPS=["django.contrib.contenttypes", "tests.live.django_app"],
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()

from tests.live.django_app.models import Item, Shelf


@pytest.fixture(scope="module", params=["direct", "gate"])
def place(mysql_stand: Stand, request: pytest.FixtureRequest) -> MysqlPlace:
    return mysql_stand.place(request.param == "gate")


@pytest.fixture(scope="module")
def made(place: MysqlPlace) -> Iterator[Any]:
    """Django's default connection at this place, with the models' tables made; another one is put back afterwards."""
    before = connections.settings["default"]
    _forget()
    connections.settings["default"] = before | {
        "ENGINE": "django.db.backends.mysql",
        "NAME": place.database,
        "HOST": "127.0.0.1",
        "PORT": str(place.port),
        "USER": place.user,
        "PASSWORD": place.password,
        "OPTIONS": {"charset": "utf8mb4", "init_command": "SET sql_mode='STRICT_TRANS_TABLES'"},
    }
    connection = connections["default"]
    with connection.schema_editor() as editor:
        for model in (Shelf, Item):
            editor.create_model(model)
    yield connection
    with connection.schema_editor() as editor:
        for model in (Item, Shelf):
            editor.delete_model(model)
    connection.close()
    _forget()
    connections.settings["default"] = before


def _forget() -> None:
    """The default connection's object, if there is one in this thread."""
    with contextlib.suppress(AttributeError):
        del connections["default"]


@pytest.fixture
def database_of(made: Any) -> Iterator[Any]:
    yield made
    Item.objects.all().delete()
    Shelf.objects.all().delete()


def _fill() -> None:
    for number in range(4):
        shelf = Shelf.objects.create(name=f"shelf {number}")
        Item.objects.bulk_create(
            [Item(shelf=shelf, title=f"item {number}.{k}", price=k + 1, data={"k": k}) for k in range(number)]
        )


@pytest.mark.usefixtures("database_of")
def test_models() -> None:
    _fill()
    assert Item.objects.count() == 6
    titles = [item.title for item in Item.objects.filter(shelf__name="shelf 2").order_by("title")]
    assert titles == ["item 2.0", "item 2.1"]
    assert Item.objects.select_related("shelf").get(title="item 1.0").shelf.name == "shelf 1"
    shelves = Shelf.objects.prefetch_related("items").order_by("id")
    assert [len(shelf.items.all()) for shelf in shelves] == [0, 1, 2, 3]
    one, other = Item.objects.order_by("id")[:2]
    one.friends.add(other)
    assert list(other.friends.all()) == [one]


@pytest.mark.usefixtures("database_of")
def test_queries() -> None:
    _fill()
    sums = Shelf.objects.annotate(total=Sum("items__price"), n=Count("items")).order_by("id")
    assert [(shelf.total, shelf.n) for shelf in sums] == [(None, 0), (1, 1), (3, 2), (6, 3)]
    assert round(Item.objects.aggregate(Avg("price"))["price__avg"], 4) == decimal.Decimal("1.6667")
    assert Item.objects.filter(data__k__gte=1).exclude(title__icontains="3.").count() == 1
    newest = Item.objects.filter(shelf=OuterRef("pk")).order_by("-price").values("title")[:1]
    assert Shelf.objects.annotate(top=Subquery(newest)).get(name="shelf 3").top == "item 3.2"
    numbered = Item.objects.annotate(n=Window(RowNumber(), order_by=F("title").asc())).values_list("n", flat=True)
    assert sorted(numbered) == [1, 2, 3, 4, 5, 6]
    assert Shelf.objects.annotate(upper=Upper("name")).order_by("id").values_list("upper", flat=True)[0] == "SHELF 0"
    assert Item.objects.filter(title__regex="^item [12]").count() == 3
    assert Shelf.objects.filter(name__in=["shelf 1", "shelf 2"]).update(capacity=F("capacity") + 5) == 2
    assert Item.objects.filter(shelf__capacity=15).delete()[0] == 3
    assert len(list(Item.objects.iterator(chunk_size=2))) == 3


@pytest.mark.usefixtures("database_of")
def test_get_or_create() -> None:
    assert Shelf.objects.get_or_create(name="new")[1]
    assert not Shelf.objects.get_or_create(name="new")[1]
    assert not Shelf.objects.update_or_create(name="new", defaults={"capacity": 3})[1]
    Shelf.objects.bulk_create([Shelf(name="new")], ignore_conflicts=True)
    changed = {"update_conflicts": True, "update_fields": ["capacity"]}
    Shelf.objects.bulk_create([Shelf(name="new", capacity=4)], **changed)
    assert Shelf.objects.get(name="new").capacity == 4


@pytest.mark.usefixtures("database_of")
def test_transactions() -> None:
    with transaction.atomic():
        Shelf.objects.create(name="kept")
        with pytest.raises(IntegrityError), transaction.atomic():
            Shelf.objects.create(name="kept")
        Shelf.objects.create(name="also kept")
    with pytest.raises(DatabaseError), transaction.atomic():
        _create_and_fail()
    assert Shelf.objects.count() == 2
    with transaction.atomic():
        assert Shelf.objects.select_for_update(nowait=True).get(name="kept").capacity == 10


def _create_and_fail() -> None:
    Shelf.objects.create(name="lost")
    raise DatabaseError


def test_the_sessions_modes(database_of: Any, place: MysqlPlace) -> None:
    """Django asks for its features by the server's sql_mode and version, and sets the isolation level itself."""
    assert database_of.sql_mode == {"STRICT_TRANS_TABLES"}
    assert database_of.mysql_is_mariadb is place.mariadb
    assert database_of.mysql_version[0] == (10 if place.mariadb else 9)
    assert database_of.features.has_zoneinfo_database in {True, False}
    with database_of.cursor() as cursor:
        name = "tx_isolation" if place.mariadb else "transaction_isolation"
        cursor.execute(f"SELECT @@{name}, @@sql_mode")
        assert cursor.fetchone() == ("READ-COMMITTED", "STRICT_TRANS_TABLES")


def test_introspection(database_of: Any) -> None:
    with database_of.cursor() as cursor:
        found = database_of.introspection
        assert {"people", "pets", "live_item", "owners"} <= {table.name for table in found.get_table_list(cursor)}
        constraints = found.get_constraints(cursor, "live_item")
        assert constraints["live_price_positive"]["check"]
        assert found.get_relations(cursor, "pets")["owner"][:2] == ("id", "people")
        assert found.get_sequences(cursor, "pets")[0]["column"] == "id"
        assert found.get_storage_engine(cursor, "pets") == "InnoDB"


def test_inspectdb(database_of: Any) -> None:
    written = io.StringIO()
    call_command("inspectdb", "people", "pets", "owners", include_views=True, stdout=written)
    assert "class People(models.Model):" in written.getvalue()
    assert "owner = models.ForeignKey(People" in written.getvalue()
    assert "class Owners(models.Model):" in written.getvalue()
    assert "Unable to inspect" not in written.getvalue()


def test_migrate(database_of: Any) -> None:
    """Django's own migrations: contenttypes, and the recorder's table."""
    call_command("migrate", verbosity=0, interactive=False)
    with database_of.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations WHERE app = 'contenttypes'")
        assert cursor.fetchone()[0] >= 2
        cursor.execute("DROP TABLE django_migrations, django_content_type")


def test_explain(database_of: Any) -> None:
    _fill()
    assert "live_item" in Item.objects.filter(price__gt=1).explain()
