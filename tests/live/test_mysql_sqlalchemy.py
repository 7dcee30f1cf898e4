"""SQLAlchemy on MySQL and MariaDB: ORM, Core and reflection, the same from the server itself and through the gate."""

from __future__ import annotations

import asyncio
import datetime
import decimal
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, ForeignKey, MetaData, String, create_engine, func, insert, inspect, select, text
from sqlalchemy import update as update_
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload

from tests.live.mysql_places import DATABASE, MysqlPlace, Stand


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "sa_authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    born: Mapped[datetime.date | None]
    books: Mapped[list[Book]] = relationship(back_populates="author", cascade="all, delete-orphan", order_by="Book.id")


class Book(Base):
    __tablename__ = "sa_books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    price: Mapped[decimal.Decimal] = mapped_column(server_default="1.00")
    author_id: Mapped[int] = mapped_column(ForeignKey("sa_authors.id"), index=True)
    author: Mapped[Author] = relationship(back_populates="books")


@pytest.fixture(params=["direct", "gate"])
def place(mysql_stand: Stand, request: pytest.FixtureRequest) -> MysqlPlace:
    return mysql_stand.place(request.param == "gate")


@pytest.fixture(params=["pymysql", "mysqldb"])
def engine(place: MysqlPlace, request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = create_engine(place.url(request.param, charset="utf8mb4"))
    Base.metadata.create_all(made)
    yield made
    Base.metadata.drop_all(made)
    made.dispose()


def _fill(session: Session) -> None:
    for number in range(3):
        books = [Book(title=f"Book {number}.{k}", price=decimal.Decimal(k)) for k in range(number + 1)]
        session.add(Author(name=f"Author {number}", data={"n": number}, books=books))
    session.commit()


def test_orm(engine: Engine) -> None:
    Base.metadata.create_all(engine)  # finds its tables
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


def test_an_error_within_a_savepoint(engine: Engine) -> None:
    with Session(engine) as session:
        _fill(session)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(Author(name="Author 1"))
        with session.begin_nested():
            session.add(Author(name="After"))
        session.commit()
        assert session.scalar(select(func.count(Author.id))) == 4


def test_core(engine: Engine) -> None:
    authors: Any = Author.__table__
    with engine.begin() as connection:
        connection.execute(insert(authors), [{"name": f"n{n}", "data": [n]} for n in range(500)])
        word = mysql.insert(authors).values(name="n1", data="new")
        connection.execute(word.on_duplicate_key_update(data=word.inserted.data, born=func.current_date()))
        assert connection.scalar(select(authors.c.data).where(authors.c.name == "n1")) == "new"
        done = connection.execute(update_(authors).where(authors.c.name.like("n1%")).values(born=None))
        assert done.rowcount == 111
        assert connection.scalar(select(authors.c.id).where(authors.c.data[0].as_integer() == 7))
        window = func.row_number().over(order_by=authors.c.name)
        assert connection.scalars(select(window).order_by(authors.c.name).limit(3)).all() == [1, 2, 3]
        locked = connection.execute(select(authors.c.id).where(authors.c.name == "n2").with_for_update()).all()
        assert len(locked) == 1


def test_returning(engine: Engine, place: MysqlPlace) -> None:
    """MariaDB's INSERT and DELETE have RETURNING; SQLAlchemy asks the server's version whether it may use it."""
    assert engine.dialect.insert_returning is place.mariadb
    if not place.mariadb:
        pytest.skip("MySQL has no RETURNING")
    authors: Any = Author.__table__
    with engine.begin() as connection:
        rows = [{"name": f"n{n}"} for n in range(20)]
        found = connection.execute(insert(authors).returning(authors.c.name, authors.c.id), rows).all()
        assert [row.name for row in found] == [row["name"] for row in rows]
        gone = connection.execute(authors.delete().where(authors.c.name == "n3").returning(authors.c.name)).all()
        assert [row.name for row in gone] == ["n3"]


def test_streaming(engine: Engine) -> None:
    numbers = "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT n FROM s"
    with engine.connect().execution_options(stream_results=True, yield_per=100) as connection:
        assert sum(row[0] for row in connection.execute(text(numbers))) == 900 * 901 // 2


def test_inspection(engine: Engine) -> None:
    found = inspect(engine)
    columns = {column["name"]: column for column in found.get_columns("people")}
    assert list(columns) == ["id", "name", "email", "salary", "born", "photo", "notes"]
    assert columns["id"]["comment"] == "the number"
    assert isinstance(columns["salary"]["type"], mysql.DECIMAL)
    assert found.get_columns("pets")[-1]["computed"]["persisted"]
    assert found.get_pk_constraint("people")["constrained_columns"] == ["id"]
    assert [(key["name"], key["referred_table"], key["options"]) for key in found.get_foreign_keys("pets")] == [
        ("pets_owner", "people", {"ondelete": "CASCADE"})
    ]
    assert {"people_name", "people_born"} == {index["name"] for index in found.get_indexes("people")}
    assert "weight" in found.get_check_constraints("pets")[0]["sqltext"]
    assert found.get_view_names() == ["owners"]
    assert "pets" in (found.get_view_definition("owners") or "")
    assert {"information_schema", DATABASE} <= set(found.get_schema_names())
    assert {"people", "pets", "sa_authors"} <= set(found.get_table_names(schema=DATABASE))
    assert found.get_unique_constraints("people")[0]["column_names"] == ["name"]
    assert found.get_table_comment("people")["text"] == "who works here"
    assert found.get_table_options("people")["mysql_default charset"] == "utf8mb4"
    assert not found.has_table("no_such_table")


def test_reflection(engine: Engine) -> None:
    metadata = MetaData()
    metadata.reflect(engine, views=True)
    assert {"people", "pets", "owners"} <= set(metadata.tables)
    people = metadata.tables["people"]
    with engine.connect() as connection:
        assert connection.scalar(select(people.c.salary).where(people.c.id == 1)) == decimal.Decimal("1200.50")


@pytest.mark.parametrize("level", ["SERIALIZABLE", "READ COMMITTED", "REPEATABLE READ"])
def test_isolation_levels(place: MysqlPlace, level: str) -> None:
    engine = create_engine(place.url("pymysql"), isolation_level=level)
    with engine.connect() as connection:
        assert connection.get_isolation_level() == level
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()


@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
def test_asyncio(place: MysqlPlace, driver: str) -> None:
    async def talk() -> Any:
        engine = create_async_engine(place.url(driver))
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        try:
            async with async_sessionmaker(engine)() as session:
                session.add_all([Author(name=f"a{n}", data={"k": [n]}) for n in range(20)])
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


def test_connector_dialect(place: MysqlPlace) -> None:
    engine = create_engine(place.url("mysqlconnector"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, name FROM people ORDER BY id LIMIT 1")).all() == [(1, "Ada")]
        assert inspect(connection).has_table("people")
    engine.dispose()
