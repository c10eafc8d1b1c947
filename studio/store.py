"""The database: what no folder holds. SQLite in the run root, or whatever STUDIO_DATABASE_URL names.

The folders are the truth; this is the order in which queued runs are to start.
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Float, Integer, String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

_PATIENCE_S = 30  # for another process that writes


class Base(DeclarativeBase):
    pass


class Job(Base):
    """A run that is to be started: the lowest `position` first. `state` is queued, running, done or cancelled."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    folder: Mapped[str] = mapped_column(String, unique=True)
    recipe: Mapped[str] = mapped_column(String)  # the recipe's file
    arguments: Mapped[list[str]] = mapped_column(JSON)  # its flags beside the folder
    processes: Mapped[int] = mapped_column(Integer, default=1)
    position: Mapped[float] = mapped_column(Float, index=True)
    state: Mapped[str] = mapped_column(String, default="queued", index=True)
    device: Mapped[str | None] = mapped_column(String)
    started: Mapped[float | None] = mapped_column(Float)  # seconds since the epoch
    holds_queue: Mapped[bool] = mapped_column(default=False)  # whether nothing starts after it has failed


def run_root() -> Path:
    """Where runs are kept: $STUDIO_RUNS, or ./runs."""
    return Path(os.environ.get("STUDIO_RUNS", "runs")).absolute()


def connect(root: Path) -> sessionmaker[Session]:
    """Sessions on the database of a run root; made at first use, for its owner alone."""
    url = os.environ.get("STUDIO_DATABASE_URL")
    if url is None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = root / "studio.sqlite"
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        url = f"sqlite:///{file}"
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _settle_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    Base.metadata.create_all(engine)
    return sessionmaker(engine, expire_on_commit=False)


def _settle_sqlite(connection: Any, record: Any) -> None:
    """Readers beside a writer, patience among writers, and on the disk before a commit is acknowledged."""
    connection.isolation_level = None  # SQLAlchemy begins transactions itself, as writers at once
    for pragma in ("journal_mode=WAL", f"busy_timeout={_PATIENCE_S * 1000}", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
