"""Sources behind TLS, with certificates that are trusted and ones that are not."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager

import pytest

from tests.servers import require
from tests.sources.sockets import EMPTY, HEAD, assert_nodata, drip, only, take_request, timed


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1."""
    openssl = require("openssl", "openssl")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test"
    extensions = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "keyUsage=digitalSignature,keyCertSign"]
    subprocess.run(
        [openssl, *command.split(), *extensions, "-keyout", path, "-out", path.with_suffix(".crt")], check=True, capture_output=True
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@contextmanager
def over_tls(certificate, behave, *, known_clients=None):
    """A server with this certificate; with `known_clients` it wants one of these of its clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=known_clients)
    context.load_cert_chain(certificate)
    if known_clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED

    def wrapped(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            take_request(tls)
            behave(tls)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=quietly, args=(connection,), daemon=True).start()

        def quietly(connection):
            try:
                wrapped(connection)
            except OSError:
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_an_unknown_certificate_is_refused(open_source, certificate):
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY)) as url:
        assert_nodata(only(open_source(url)), "has a TLS problem: ")


def test_a_certificate_of_our_own_authority_is_accepted(open_source, certificate):
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY)) as url:
        assert only(open_source(url, ca_file=str(certificate.with_suffix(".crt")))).problem is None


def test_a_missing_authority_file_says_so(open_source, certificate):
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY)) as url:
        assert_nodata(only(open_source(url, ca_file="/no/such/file")), "/no/such/file")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_an_unknown_certificate_may_be_accepted_by_the_settings(open_source, certificate):
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY)) as url:
        assert only(open_source(url, insecure=True)).problem is None


def test_a_slow_server_is_left_at_the_deadline_over_tls_too(open_source, certificate):
    behaviours = iter([drip(HEAD), lambda tls: tls.sendall(EMPTY)])

    def first_slow(tls):
        next(behaviours)(tls)

    with over_tls(certificate, first_slow) as url:
        source = open_source(url, ca_file=str(certificate.with_suffix(".crt")), concurrency=1, read_timeout=20)
        assert_nodata(timed(source), "did not answer within 0.5 s")
        assert only(source, deadline=2).problem is None


def test_a_client_certificate_is_shown_where_the_settings_have_one(open_source, certificate):
    authority = certificate.with_suffix(".crt")
    ours = {"cert_file": str(authority), "key_file": str(certificate)}
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY), known_clients=authority) as url:
        assert only(open_source(url, ca_file=str(authority), **ours)).problem is None
        assert only(open_source(url, ca_file=str(authority), cert_file=str(certificate))).problem is None
        assert_nodata(only(open_source(url, ca_file=str(authority))), "has a TLS problem: ")


@pytest.mark.parametrize("missing", ["cert_file", "key_file"])
def test_a_missing_client_certificate_says_so(open_source, certificate, missing):
    ours = {"cert_file": str(certificate.with_suffix(".crt")), "key_file": str(certificate)}
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY), known_clients=certificate.with_suffix(".crt")) as url:
        answer = only(open_source(url, ca_file=str(certificate.with_suffix(".crt")), **ours | {missing: "/no/such/file"}))

    assert_nodata(answer, "/no/such/file")
