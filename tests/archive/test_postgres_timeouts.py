"""A PostgreSQL that says nothing is not waited for without end."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from judge.archive.postgres_timeouts import bound


@pytest.fixture
def engine(server):
    made = sa.create_engine(server.replace("postgresql://", "postgresql+psycopg://"), pool_pre_ping=True, pool_size=1, max_overflow=0)
    bound(made, seconds=0.5, ping_seconds=0.3)
    yield made
    made.dispose()


def test_a_statement_without_an_answer_is_given_up_and_the_next_one_has_a_new_connection(engine):
    began = time.monotonic()
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError, match=r"no word from the server within 0\.5 s"):
        connection.execute(sa.text("SELECT pg_sleep(600)"))
    assert 0.4 < time.monotonic() - began < 60
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1


def test_what_answers_in_time_is_left_alone(engine):
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM generate_series(1, 10000)")) == 10000
        connection.execute(sa.text("SELECT pg_sleep(0.2)"))


def test_who_asks_for_more_time_has_it_until_the_connection_goes_back(engine):
    with engine.connect() as connection:
        connection.connection.driver_connection.seconds = None
        connection.execute(sa.text("SELECT pg_sleep(1)"))
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError, match="no word"):
        connection.execute(sa.text("SELECT pg_sleep(600)"))
