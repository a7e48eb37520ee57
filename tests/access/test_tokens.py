"""Who is let in, who is not, and that nothing of a token is ever repeated."""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from judge.access.gate import OpenGate, TokenGate, digest_of, gate_of
from judge.access.rights import ANYONE, RIGHTS, Caller
from judge.access.tokens_file import load_tokens
from judge.cli import token as tokens
from judge.cli.token import token_command
from judge.errors import ConfigError, NotAllowed, NotAuthenticated

NOW = 1_800_000_000.0
TOKENS = {"team-a": "team-a-" + "x" * 30, "team-b": "team-b-" + "y" * 30, "old": "old-" + "z" * 30}
FILE = f"""
tokens:
  - {{name: team-a, sha256: {digest_of(TOKENS["team-a"])}, may: [ask, read, label], configs: ["a-*"], namespaces: [a]}}
  - {{name: team-b, sha256: {digest_of(TOKENS["team-b"])}, scopes: [pod-name]}}
  - {{name: old, sha256: {digest_of(TOKENS["old"])}, until: 2020-01-01}}
proxy: {{header: X-User, networks: [10.1.0.0/16, "::1"], configs: [shop]}}
"""


@pytest.fixture
def gate_with(tmp_path):
    def made(text=FILE, **files):
        for name, content in files.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        path = tmp_path / "tokens.yaml"
        path.write_text(text, encoding="utf-8")
        return gate_of(load_tokens(path), folder=tmp_path)

    return made


def caller(gate, authorization="", *, address="192.0.2.1", now=NOW, **headers):
    sent = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return gate.caller({"authorization": authorization, **sent} if authorization else sent, address=address, now=now)


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_a_known_token_names_its_bearer(gate_with):
    found = caller(gate_with(), f"Bearer {TOKENS['team-a']}")

    assert found == Caller(name="team-a", may=frozenset({"ask", "read", "label"}), configs=("a-*",), namespaces=frozenset({"a"}))
    assert caller(gate_with(), f"bearer   {TOKENS['team-b']} ").name == "team-b"


def test_a_browser_gives_the_token_as_its_password(gate_with):
    assert caller(gate_with(), basic(f"anybody:{TOKENS['team-a']}")).name == "team-a"


@pytest.mark.parametrize(
    ("authorization", "said"),
    [
        ("", "a token is needed"),
        (f"Bearer {TOKENS['team-a']}x", "not known"),
        (f"Bearer {TOKENS['team-a'][:-1]}", "not known"),
        (f"Bearer {TOKENS['old']}", "the token of old has run out"),
        ("Bearer short", "20 to 8,192 characters"),
        ("Bearer", "20 to 8,192 characters"),
        ("Bearer " + "x" * 9000, "20 to 8,192 characters"),
        (TOKENS["team-a"], "must be Bearer or Basic"),
        ("Digest username=x", "must be Bearer or Basic"),
        ("Basic %%%", "cannot be read"),
        (basic("no colon"), "20 to 8,192 characters"),
        ("Bearer " + ".".join(["e" * 20] * 3), "not known"),
    ],
)
def test_nobody_else_is_let_in(gate_with, authorization, said):
    with pytest.raises(NotAuthenticated, match=said):
        caller(gate_with(), authorization)


@given(st.text(min_size=20, max_size=200))
def test_whatever_is_brought_it_is_not_repeated(brought):
    gate = OpenGate()
    assert gate.caller({"authorization": brought}, address="", now=NOW) is ANYONE
    with pytest.raises(NotAuthenticated) as refused:
        TokenGate().caller({"authorization": f"Bearer {brought}"}, address="", now=NOW)
    assert brought not in str(refused.value)


def test_the_proxys_header_counts_only_from_the_proxy(gate_with):
    gate = gate_with()

    found = caller(gate, address="10.1.2.3", X_User="ann")
    assert (found.name, found.may, found.configs) == ("ann", frozenset({"read"}), ("shop",))
    for address, headers in [
        ("10.2.0.1", {"X_User": "ann"}),
        ("", {"X_User": "ann"}),
        ("10.1.2.3", {}),
        ("10.1.2.3", {"X_User": "a\nb"}),
        ("10.1.2.3", {"X_User": " "}),
    ]:
        with pytest.raises(NotAuthenticated):
            caller(gate, address=address, **headers)
    # A token that is wrong is not helped by the proxy's header.
    with pytest.raises(NotAuthenticated, match="not known"):
        caller(gate, "Bearer " + "x" * 30, address="10.1.2.3", X_User="ann")


ENTRY = f"{{name: a, sha256: '{64 * '0'}'"
ASKED = {"config": "a-shop", "scope": "scope", "args": {"namespace": "a"}}


@pytest.mark.parametrize(
    ("who", "asked", "said"),
    [
        ("team-a", {}, ""),
        ("team-a", {"config": "b-shop"}, "team-a may not ask for the config 'b-shop'"),
        ("team-a", {"args": {"namespace": "b"}}, "only ask about the namespaces a: not about 'b'"),
        ("team-a", {"args": {}}, "only ask about the namespaces a: the config has no arg namespace"),
        ("team-b", {}, "team-b may not use the scope 'scope'"),
        ("team-b", {"scope": "pod-name"}, ""),
    ],
)
def test_a_token_is_confined(gate_with, who, asked, said):
    found = caller(gate_with(), f"Bearer {TOKENS[who]}")

    assert found.sees({**ASKED, **asked}) == (not said)
    if said:
        with pytest.raises(NotAllowed, match=said):
            found.require_question({**ASKED, **asked})
    else:
        found.require_question({**ASKED, **asked})


def test_a_right_that_is_missing_is_named(gate_with):
    with pytest.raises(NotAllowed, match="team-b may not label verdicts: its token lacks the right 'label'"):
        caller(gate_with(), f"Bearer {TOKENS['team-b']}").require("label")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "lets nobody in"),
        ("tokens: [{name: a, sha256: abc}]", "tokens.0.sha256"),
        (f"tokens: [{ENTRY}, may: [all]}}]", "tokens.0.may.0"),
        (f"tokens: [{ENTRY}, may: []}}]", "tokens.0.may"),
        (f"tokens: [{ENTRY}, config: [x]}}]", "unknown key; did you mean 'configs'"),
        (f"tokens: [{ENTRY}, until: soon}}]", "tokens.0.until"),
        (f"tokens: [{ENTRY}, may: [kayenta], configs: [x]}}]", "kayenta cannot be confined"),
        (f"tokens: [{ENTRY}}}, {ENTRY}}}]", "is that of tokens.0 too"),
        ("proxy: {networks: [everywhere]}", "proxy.networks.0: not an address or network"),
        ("proxy: {networks: [10.0.0.1], header: 'X User'}", "proxy.header"),
    ],
)
def test_a_faulty_file_is_refused_with_its_place(gate_with, text, said):
    with pytest.raises(ConfigError, match=said):
        gate_with(text)


def test_a_token_written_in_place_of_its_hash_is_not_repeated(gate_with):
    with pytest.raises(ConfigError, match=r"tokens\.0\.sha256: must be 64 lower-case hexadecimal digits") as refused:
        gate_with(f"tokens: [{{name: a, sha256: {TOKENS['team-a']}}}]")
    assert TOKENS["team-a"] not in str(refused.value)


def test_the_command_knows_every_right():
    assert tokens.RIGHTS == RIGHTS


def test_a_made_token_fits_its_entry(gate_with):
    given = ["--may", "ask", "--config", "shop", "--namespace", "s", "--scope", "pod-name", "--questions-at-once", "3"]
    made = CliRunner().invoke(token_command, ["shop team", *given])
    token = made.stderr.removeprefix("the token, shown only now: ").strip()

    found = caller(gate_with(f"tokens:\n{made.stdout}"), f"Bearer {token}")

    assert token not in made.stdout
    assert found == Caller(
        name="shop team",
        may=frozenset({"ask"}),
        configs=("shop",),
        namespaces=frozenset({"s"}),
        scopes=frozenset({"pod-name"}),
        questions_at_once=3,
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([""], "name: must not be empty"),
        (["k", "--may", "kayenta", "--namespace", "shop"], "may: kayenta cannot be confined to configs, namespaces or scopes"),
        (["k", "--config", ""], "configs.0: must not be empty"),
    ],
)
def test_no_entry_is_made_that_the_file_would_be_refused_for(given, said):
    made = CliRunner().invoke(token_command, given)

    assert isinstance(made.exception, ConfigError)
    assert str(made.exception).startswith(said)
    assert "judge_" not in made.output


def test_a_list_of_one_faulty_item_is_not_called_empty(tmp_path):
    path = tmp_path / "tokens.yaml"
    path.write_text("jwt: {issuer: i, audience: a, keys: k.json, subjects: [{name: a, claims: {}}]}\n")

    with pytest.raises(ConfigError) as caught:
        load_tokens(path)

    assert [str(fault) for fault in caught.value.faults] == ["jwt.subjects.0.claims: must not be empty"]


def test_every_example_of_the_page_can_be_read(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    examples = [text for text in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL) if not text.startswith("args:")]

    loaded = []
    for number, text in enumerate(examples):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        loaded.append(load_tokens(path))
    assert [bool(each.tokens) + 2 * bool(each.jwt) + 4 * bool(each.proxy) for each in loaded] == [1, 2, 4]


# Signed tokens

ISSUER, AUDIENCE = "https://idp.example", "judge"
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600, "iat": NOW, "groups": ["dev", "argo"], "sub": "robot"}
SIGNED = """
jwt:
  issuer: https://idp.example
  audience: judge
  keys: keys.json
  subjects:
    - {name: argo, claims: {groups: argo}, configs: [a]}
    - {name: robot, claims: {sub: robot}}
"""


@pytest.fixture(scope="module")
def keys():
    jwt = pytest.importorskip("jwt")
    from cryptography.hazmat.primitives.asymmetric import ec

    return jwt, {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ours", "theirs")}


@pytest.fixture
def signed(keys, gate_with):
    jwt, private = keys
    published = [json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private["ours"].public_key())) | {"kid": "k1", "use": "sig"}]
    secret = {"kty": "oct", "k": base64.urlsafe_b64encode(b"s" * 32).decode(), "kid": "k2"}
    gate = gate_with(SIGNED, **{"keys.json": json.dumps({"keys": [*published, secret]})})

    def ask(claims=CLAIMS, *, key="ours", kid="k1", algorithm="ES256", now=NOW, secret=None):
        token = jwt.encode(claims, secret if secret is not None else private[key], algorithm=algorithm, headers={"kid": kid})
        return caller(gate, f"Bearer {token}", now=now)

    return ask


def test_a_signed_token_names_its_bearer_by_its_claims(signed):
    assert (signed().name, signed().configs) == ("argo", ("a",))
    assert signed({**CLAIMS, "groups": ["dev"]}).name == "robot"


@pytest.mark.parametrize(
    ("changes", "how", "said"),
    [
        ({"exp": NOW - 60}, {}, "has run out"),
        ({"nbf": NOW + 60}, {}, "not valid yet"),
        ({"exp": "tomorrow"}, {}, "exp is no time|not valid"),
        ({"exp": None}, {}, "not valid"),
        ({"iss": "https://evil.example"}, {}, "InvalidIssuer"),
        ({"aud": "prometheus"}, {}, "InvalidAudience"),
        ({"groups": [], "sub": "somebody"}, {}, "no subject of the tokens file fits"),
        ({"groups": "argocd", "sub": "robots"}, {}, "no subject of the tokens file fits"),
        ({"groups": {"argo": True}, "sub": ["robot"]}, {}, "not valid|no subject"),
        ({}, {"key": "theirs"}, "InvalidSignature"),
        ({}, {"kid": "k9"}, "does not publish"),
        ({}, {"kid": "k2", "algorithm": "HS256", "secret": b"s" * 32}, "does not publish"),
    ],
)
def test_a_signed_token_that_is_wrong_is_refused(signed, changes, how, said):
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}

    with pytest.raises(NotAuthenticated, match=said):
        signed(claims, **how)


def test_a_token_without_a_signature_is_refused(keys, signed, gate_with):
    def part(of):
        return base64.urlsafe_b64encode(json.dumps(of).encode()).decode().rstrip("=")

    with pytest.raises(NotAuthenticated):
        caller(gate_with(SIGNED), f"Bearer {part({'alg': 'none', 'kid': 'k1'})}.{part(CLAIMS)}.")


def test_a_new_key_is_looked_for_but_not_at_every_call(keys, tmp_path, gate_with):
    jwt, private = keys
    gate = gate_with(SIGNED, **{"keys.json": json.dumps({"keys": []})})

    def ask(now):
        return caller(gate, f"Bearer {jwt.encode(CLAIMS, private['ours'], algorithm='ES256', headers={'kid': 'k1'})}", now=now)

    with pytest.raises(NotAuthenticated, match="does not publish"):
        ask(NOW)
    published = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private["ours"].public_key())) | {"kid": "k1"}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [published]}), encoding="utf-8")
    with pytest.raises(NotAuthenticated, match="does not publish"):
        ask(NOW + 5)
    assert ask(NOW + 15).name == "argo"
    (tmp_path / "keys.json").write_text("gone", encoding="utf-8")
    assert ask(NOW + 400).name == "argo"


def test_keys_that_are_not_there_are_a_fault_of_the_file(gate_with):
    pytest.importorskip("jwt")
    with pytest.raises(ConfigError, match=r"jwt\.keys: neither an https address nor a file"):
        gate_with(SIGNED)


def test_a_wrong_token_takes_as_long_as_a_right_one(gate_with):
    """Every hash is compared; a thousand tokens cost well under a millisecond."""
    gate = gate_with()
    many = replace(gate, known=gate.known * 300)
    began = time.process_time()
    with pytest.raises(NotAuthenticated):
        caller(many, "Bearer " + "x" * 40)
    assert time.process_time() - began < 0.1
