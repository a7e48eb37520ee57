"""Configs and tokens change under a running service: what is good counts at once, what is faulty changes nothing."""

from __future__ import annotations

import os
import threading

import pytest

from judge.access.gate import digest_of
from judge.archive import NoArchive
from judge.server.app import create_app
from judge.settings import Settings
from judge.verdicts import service as service_module
from judge.verdicts.service import Service
from tests.server.routes.test_verdicts import strict

CONFIG = """
name: {name}
scope: 'h="${{hash}}"'
metrics: [{{name: latency, query: 'l{{${{scope}}}}', tolerance: {tolerance}}}]
"""


def config(name="shop", tolerance="5%"):
    return CONFIG.format(name=name, tolerance=tolerance)


@pytest.fixture
def write(tmp_path):
    """Write a file whole, as `mv` does, so that its mark changes whatever the clock's grain."""

    def put(name, text):
        new = tmp_path / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(tmp_path / name)

    return put


@pytest.fixture
def service(tmp_path, write):
    write("shop.yaml", config())
    write("cart.yaml", config("cart"))
    return Service(Settings(config_dir=tmp_path), NoArchive())


def test_nothing_changed_is_nothing_read(service):
    before = service.configs

    assert not service.reload()
    assert service.configs is before


def test_a_changed_config_counts_at_once_and_a_new_one_is_there(service, write):
    write("shop.yaml", config(tolerance="8%"))
    write("search.yaml", config("search"))

    assert service.reload()
    assert service.configs["shop"].metrics[0].tolerance.relative == pytest.approx(0.08)
    assert sorted(service.configs) == ["cart", "search", "shop"]
    assert list(service.config_errors) == []


def test_a_deleted_config_is_gone(service, tmp_path):
    (tmp_path / "cart.yaml").unlink()

    assert service.reload()
    assert sorted(service.configs) == ["shop"]


@pytest.mark.parametrize("text", ["name: shop\n", "name: [", "", "\x00", config(tolerance="lots")])
def test_a_config_that_became_faulty_goes_on_as_it_was_and_is_named(service, write, text):
    before = service.configs["shop"]
    write("shop.yaml", text)

    assert service.reload()
    assert service.configs["shop"] is before
    (error,) = service.config_errors
    assert "shop.yaml" in str(error)
    assert "the version of 'shop' from before goes on being served" in str(error)
    # And again, when something else changes meanwhile.
    write("cart.yaml", config("cart", "6%"))
    assert service.reload()
    assert service.configs["shop"] is before

    write("shop.yaml", config(tolerance="7%"))
    assert service.reload()
    assert service.configs["shop"].metrics[0].tolerance.relative == pytest.approx(0.07)
    assert list(service.config_errors) == []


def test_a_name_that_moved_to_another_file_is_served_from_there(service, write):
    write("shop.yaml", "name: [")
    write("other.yaml", config("shop", "9%"))

    assert service.reload()
    assert service.configs["shop"].metrics[0].tolerance.relative == pytest.approx(0.09)


def test_a_config_map_that_is_swapped_whole_is_seen(tmp_path):
    """Kubernetes links ..data to a new folder; the files' links stay."""
    for number, tolerance in enumerate(("5%", "6%")):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "shop.yaml").write_text(config(tolerance=tolerance), encoding="utf-8")
        os.utime(tmp_path / f"..{number}" / "shop.yaml", (1, 1))
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "shop.yaml").symlink_to("..data/shop.yaml")
    service = Service(Settings(config_dir=tmp_path), NoArchive())

    (tmp_path / "..new").symlink_to("..1")
    (tmp_path / "..new").replace(tmp_path / "..data")

    assert service.reload()
    assert service.configs["shop"].metrics[0].tolerance.relative == pytest.approx(0.06)


def test_the_folder_is_looked_at_now_and_then(service, write, monkeypatch):
    monkeypatch.setattr(service_module, "WATCH_SECONDS", 0.01)
    stop, seen = threading.Event(), threading.Event()
    thread = threading.Thread(target=service.watch, args=(stop,))
    thread.start()
    write("search.yaml", config("search"))
    for _ in range(200):
        if "search" in service.configs:
            seen.set()
            break
        stop.wait(0.01)
    stop.set()
    thread.join()

    assert seen.is_set()


OLD, NEW = "old-" + "x" * 30, "new-" + "y" * 30


def tokens(*given):
    return "tokens:\n" + "".join(f'  - {{name: team, sha256: "{digest_of(token)}"}}\n' for token in given)


def test_tokens_are_changed_without_a_restart(tmp_path, service, write):
    write("tokens.txt", tokens(OLD))
    service = Service(service.settings.model_copy(update={"tokens_file": tmp_path / "tokens.txt"}), NoArchive())
    client = create_app(service).test_client()

    def status(token):
        return client.get("/v1/verdicts", headers={"Authorization": f"Bearer {token}"}).status_code

    assert (status(OLD), status(NEW)) == (200, 401)
    write("tokens.txt", tokens(OLD, NEW))
    assert service.reload()
    assert (status(OLD), status(NEW)) == (200, 200)
    write("tokens.txt", tokens(NEW))
    assert service.reload()
    assert (status(OLD), status(NEW)) == (401, 200)
    # A faulty file lets nobody else in, and nobody out.
    for text in ("tokens: []", "tokens: [", "open: [everything]"):
        write("tokens.txt", text)
        assert service.reload()
        assert not service.reload()
        assert (status(OLD), status(NEW)) == (401, 200)
        assert "tokens.txt" in str(service.config_errors[-1])
    (tmp_path / "tokens.txt").unlink()
    assert service.reload()
    assert (status(OLD), status(NEW)) == (401, 200)


def test_what_became_faulty_is_named_by_readyz(service, write):
    write("shop.yaml", "name: [")
    service.reload()

    document = strict(create_app(service).test_client().get("/readyz").text)
    assert document["ready"]
    assert document["configs"] == ["cart", "shop"]
    assert any("goes on being served" in problem for problem in document["problems"])
