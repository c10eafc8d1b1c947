"""The database: what no folder holds. SQLite in the run root, or whatever STUDIO_DATABASE_URL names.

The folders are the truth; this is the order in which queued runs are to start, and the devices they were given.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Engine, Float, Integer, NullPool, String, UniqueConstraint, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from studio.errors import RequestError

_PATIENCE_S = 30  # for another process that writes
_FILE = "studio.sqlite"


class Base(DeclarativeBase):
    pass


class Job(Base):
    """A run that is to be started, the lowest `position` first, or that was: then it has `device` and `started`.

    What is started stands in the run's folder. The number in the table's name rises with every change of the columns:
    the new table is then filled from the folders, and what an older studio has written is left to it.
    """

    __tablename__ = "queue_2"
    __table_args__ = (UniqueConstraint("root", "folder"), {"sqlite_autoincrement": True})  # no id is given twice

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    root: Mapped[str] = mapped_column(String)  # the run root, empty in a database that lies in it
    folder: Mapped[str] = mapped_column(String)  # as seen from the root where it lies below it
    position: Mapped[float] = mapped_column(Float, index=True)
    flags: Mapped[list[str]] = mapped_column(JSON)  # that a resumed run was given besides its own
    cwd: Mapped[str] = mapped_column(String)  # where it was queued, which is where it runs
    device: Mapped[str | None] = mapped_column(String)  # names with commas between them
    started: Mapped[float | None] = mapped_column(Float)  # seconds since the epoch


class Database:
    """The database of a run root; made at first use, for its owner alone.

    Args:
        is_new: whether the queue was made just now, and knows nothing of what the folders say.

    Raises:
        RequestError: it cannot be opened.
    """

    def __init__(self, root: Path):
        url = os.environ.get("STUDIO_DATABASE_URL")
        self.root = str(root) if url else ""
        if not url:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(root / _FILE, os.O_RDWR | os.O_CREAT, 0o600))
        self._engine = _connect(url or f"sqlite:///{root / _FILE}")
        self._writing = self._engine.execution_options(writes=True)
        try:
            with self._engine.connect() as connection:
                known = inspect(connection).has_table(Job.__tablename__)
            if not known:
                with self._writing.begin() as connection:  # of several that come at once, one makes it
                    known = inspect(connection).has_table(Job.__tablename__)
                    Base.metadata.create_all(connection)
            self.is_new = not known
        except SQLAlchemyError as error:
            raise RequestError(_complaint(url, root, error)) from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session beside those of others."""
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session of the only writer, committed when the block ends well."""
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session


def run_root() -> Path:
    """Where runs are kept: $STUDIO_RUNS, or ./runs."""
    return Path(os.environ.get("STUDIO_RUNS", "runs")).resolve()


def set_aside(root: Path) -> Path | None:
    """Moves a SQLite file of a run root that is none out of the way; returns where it is now, or None."""
    file = root / _FILE
    if "STUDIO_DATABASE_URL" in os.environ or not file.exists():
        return None
    with contextlib.suppress(RequestError):
        Database(root)
        return None
    number = len(list(root.glob(f"{_FILE}.damaged-*"))) + 1
    for part in root.glob(f"{_FILE}*"):
        if part.name in (_FILE, f"{_FILE}-wal", f"{_FILE}-shm"):
            part.rename(root / part.name.replace(_FILE, f"{_FILE}.damaged-{number}"))
    return root / f"{_FILE}.damaged-{number}"


def _connect(url: str) -> Engine:
    try:
        made = make_url(url)
        # no connection is kept: a database file that was replaced meanwhile is noticed
        engine = create_engine(made, poolclass=NullPool)
    except (SQLAlchemyError, ImportError) as error:
        raise RequestError(
            f"STUDIO_DATABASE_URL cannot be used ({error}): name an address such as "
            "postgresql+psycopg://USER@HOST/NAME, install its driver, or unset it to use a file in the run root"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _settle_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _settle_sqlite(connection: Any, record: Any) -> None:
    """Readers beside a writer, patience among writers, and on the disk before a commit is acknowledged."""
    connection.isolation_level = None  # transactions are begun by _begin_sqlite
    for pragma in (f"busy_timeout={_PATIENCE_S * 1000}", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    """A writer says so at once: one that began as a reader could not wait for another."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _complaint(url: str | None, root: Path, error: SQLAlchemyError) -> str:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    if url:
        shown = make_url(url).render_as_string(hide_password=True)
        return f"the database {shown} of STUDIO_DATABASE_URL cannot be opened: {reason}"
    return (
        f"{root / _FILE} cannot be used ({reason}): `python -m studio queue restore` sets a damaged file aside and "
        "makes the queue anew from the run folders"
    )
