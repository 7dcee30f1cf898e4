"""Django's ORM: schema editor, models, aggregates, transactions, locks, introspection."""

from __future__ import annotations

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

from tests.live.places import Place

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "set by each test"}},
        INSTALLED_APPS=["django.contrib.contenttypes", "tests.live.django_app"],
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()

from tests.live.django_app.models import Item, Shelf


@pytest.fixture
def database_of(place: Place) -> Iterator[Any]:
    """Django's default connection at this place, with the models' tables made."""
    del connections["default"]
    connections.settings["default"] |= {
        "NAME": place.database,
        "HOST": place.host,
        "PORT": str(place.port),
        "USER": place.user,
        "PASSWORD": place.password,
        "OPTIONS": place.libpq_tls(),
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
    assert [item.title for item in Item.objects.filter(shelf__name="shelf 2").order_by("title")] == [
        "item 2.0", "item 2.1",
    ]  # fmt: skip
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
    assert Shelf.objects.filter(name__in=["shelf 1", "shelf 2"]).update(capacity=F("capacity") + 5) == 2
    assert Item.objects.filter(shelf__capacity=15).delete()[0] == 3
    assert len(list(Item.objects.iterator(chunk_size=2))) == 3


@pytest.mark.usefixtures("database_of")
def test_get_or_create() -> None:
    assert Shelf.objects.get_or_create(name="new")[1]
    assert not Shelf.objects.get_or_create(name="new")[1]
    assert not Shelf.objects.update_or_create(name="new", defaults={"capacity": 3})[1]
    Shelf.objects.bulk_create([Shelf(name="new")], ignore_conflicts=True)
    assert Shelf.objects.get(name="new").capacity == 3


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


def test_cursor(database_of: Any) -> None:
    with database_of.cursor() as cursor:
        cursor.execute("SELECT id, name FROM customers WHERE id = %s", [3])
        assert cursor.fetchone() == (3, "Customer 3")


def test_introspection(database_of: Any) -> None:
    with database_of.cursor() as cursor:
        names = {table.name for table in database_of.introspection.get_table_list(cursor)}
        assert {"customers", "orders", "live_item", "customer_view"} <= names
        constraints = database_of.introspection.get_constraints(cursor, "live_item")
        assert constraints["live_price_positive"]["check"]
        assert database_of.introspection.get_relations(cursor, "orders") == {"customer_id": ("id", "customers")}
        assert database_of.introspection.get_sequences(cursor, "orders")[0]["column"] == "id"


def test_inspectdb(database_of: Any) -> None:
    written = io.StringIO()
    call_command("inspectdb", "customers", "orders", stdout=written)
    assert "class Customers(models.Model):" in written.getvalue()
    assert "customer = models.ForeignKey(Customers" in written.getvalue()


def test_migrate(database_of: Any) -> None:
    """Django's own migrations: contenttypes, and the recorder's table."""
    call_command("migrate", verbosity=0, interactive=False)
    with database_of.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations WHERE app = 'contenttypes'")
        assert cursor.fetchone()[0] >= 2
        cursor.execute("DROP TABLE django_migrations, django_content_type")
