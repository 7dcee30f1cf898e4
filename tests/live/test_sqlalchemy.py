"""SQLAlchemy: ORM, Core and reflection over psycopg and asyncpg."""

from __future__ import annotations

import asyncio
import datetime
import decimal
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload

from tests.live.places import Place


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "sa_authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    tags: Mapped[list[str]] = mapped_column(postgresql.ARRAY(String), default=list)
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    born: Mapped[datetime.date | None]
    books: Mapped[list[Book]] = relationship(back_populates="author", cascade="all, delete-orphan", order_by="Book.id")


class Book(Base):
    __tablename__ = "sa_books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    price: Mapped[decimal.Decimal] = mapped_column(server_default="1.00")
    author_id: Mapped[int] = mapped_column(ForeignKey("sa_authors.id"), index=True)
    author: Mapped[Author] = relationship(back_populates="books")


# the view customer_rows has a column of a composite type, which SQLAlchemy has no type for
pytestmark = pytest.mark.filterwarnings("ignore:Did not recognize type 'customers'")


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    made = create_engine(place.dsn("postgresql+psycopg"))
    Base.metadata.create_all(made)
    yield made
    Base.metadata.drop_all(made)
    made.dispose()


def _fill(session: Session) -> None:
    for number in range(3):
        books = [Book(title=f"Book {number}.{k}", price=decimal.Decimal(k)) for k in range(number + 1)]
        session.add(Author(name=f"Author {number}", tags=["x", str(number)], data={"n": number}, books=books))
    session.commit()


def test_create_all_twice(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    assert {"sa_authors", "sa_books", "customers"} <= set(inspect(engine).get_table_names())


def test_orm(engine: Engine) -> None:
    with Session(engine) as session:
        _fill(session)
        authors = session.scalars(select(Author).order_by(Author.id)).all()
        assert [len(author.books) for author in authors] == [1, 2, 3]
        assert authors[1].data == {"n": 1}
        authors[0].name = "Changed"
        session.delete(authors[2])
        session.commit()
        assert session.scalar(select(func.count()).select_from(Book)) == 3
        assert session.get_one(Author, authors[0].id).name == "Changed"


@pytest.mark.parametrize("way", [joinedload, selectinload])
def test_eager_loading(engine: Engine, way: Any) -> None:
    with Session(engine) as session:
        _fill(session)
    with Session(engine) as session:
        authors = session.scalars(select(Author).options(way(Author.books)).order_by(Author.id)).unique().all()
        session.expunge_all()
        assert [[book.title for book in author.books] for author in authors][1] == ["Book 1.0", "Book 1.1"]


def test_integrity_error_and_savepoint(engine: Engine) -> None:
    with Session(engine) as session:
        _fill(session)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(Author(name="Author 1"))
        session.add(Author(name="After"))
        session.commit()
        assert session.scalar(select(func.count(Author.id))) == 4


def test_core(engine: Engine) -> None:
    authors = Author.__table__
    with engine.begin() as connection:
        rows = [{"name": f"n{n}", "tags": []} for n in range(500)]
        made = connection.execute(insert(authors).returning(authors.c.id), rows).all()
        assert len(made) == 500
        word = postgresql.insert(authors).values(name="n1", tags=["new"])
        word = word.on_conflict_do_update(index_elements=["name"], set_={"tags": word.excluded.tags})
        connection.execute(word)
        assert connection.scalar(select(authors.c.tags).where(authors.c.name == "n1")) == ["new"]
        done = connection.execute(update(authors).where(authors.c.name.like("n1%")).values(born=func.current_date()))
        assert done.rowcount == 111
        window = func.row_number().over(order_by=authors.c.name)
        numbers = connection.scalars(select(window).order_by(authors.c.name).limit(3)).all()
        assert numbers == [1, 2, 3]
        locked = connection.execute(select(authors.c.id).where(authors.c.name == "n2").with_for_update()).all()
        assert len(locked) == 1


def test_streaming(engine: Engine) -> None:
    with engine.connect().execution_options(stream_results=True, yield_per=100) as connection:
        rows = connection.execute(text("SELECT generate_series(1, 1000)"))
        assert sum(row[0] for row in rows) == 500500


def test_inspection(engine: Engine) -> None:
    found = inspect(engine)
    columns = {column["name"]: column for column in found.get_columns("customers")}
    assert list(columns) == [
        "id", "name", "email", "phone", "ssn", "card_number", "country", "city", "profile", "created", "active",
    ]  # fmt: skip
    assert isinstance(columns["profile"]["type"], postgresql.JSONB)
    assert found.get_pk_constraint("customers")["constrained_columns"] == ["id"]
    assert [key["referred_table"] for key in found.get_foreign_keys("orders")] == ["customers"]
    assert "customers_email" in [index["name"] for index in found.get_indexes("customers")]
    assert found.get_check_constraints("products")[0]["sqltext"] == "stock >= 0"
    assert "customer_view" in found.get_view_names()
    assert "email" in (found.get_view_definition("customer_view") or "")
    assert {"hr", "public"} <= set(found.get_schema_names())
    assert found.get_table_names(schema="hr") == ["reviews"]
    assert found.get_unique_constraints("products")[0]["column_names"] == ["sku"]
    assert found.get_sequence_names()
    assert found.get_table_comment("customers")["text"] is None
    assert found.has_table("customers")
    assert not found.has_table("no_such_table")


def test_reflection(engine: Engine) -> None:
    metadata = MetaData()
    metadata.reflect(engine, views=True)
    assert "order_items" in metadata.tables
    orders = Table("orders", metadata, Column("id", Integer, primary_key=True), extend_existing=True)
    with engine.connect() as connection:
        assert connection.execute(select(orders.c.status).where(orders.c.id == 1)).scalar() == "paid"


def test_isolation_levels(place: Place) -> None:
    for level in ("SERIALIZABLE", "REPEATABLE READ", "AUTOCOMMIT"):
        engine = create_engine(place.dsn("postgresql+psycopg"), isolation_level=level)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        engine.dispose()


def test_psycopg2_dialect(place: Place) -> None:
    engine = create_engine(place.dsn("postgresql+psycopg2"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        _fill(session)
        assert session.scalar(select(func.sum(Book.price))) == decimal.Decimal(4)
    Base.metadata.drop_all(engine)
    engine.dispose()


def test_pg8000_dialect(place: Place) -> None:
    engine = create_engine(place.plain("postgresql+pg8000"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM products ORDER BY id LIMIT 2")).all() == [(1,), (2,)]
        assert inspect(connection).has_table("customers")
    engine.dispose()


def test_asyncpg_dialect(place: Place) -> None:
    async def talk() -> Any:
        engine = create_async_engine(place.plain("postgresql+asyncpg"), connect_args={"ssl": "disable"})
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        try:
            async with async_sessionmaker(engine)() as session:
                session.add_all([Author(name=f"a{n}", tags=["t"], data={"k": [n]}) for n in range(20)])
                await session.commit()
                query = select(Author).options(selectinload(Author.books)).order_by(Author.name)
                found = [(author.name, author.data) for author in (await session.scalars(query)).all()]
            async with engine.connect() as connection:
                names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
            return found[0], "sa_books" in names
        finally:
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.drop_all)
            await engine.dispose()

    assert asyncio.run(talk()) == (("a0", {"k": [0]}), True)
