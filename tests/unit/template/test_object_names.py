"""Keys and buckets that rows choose: which of them no request is made of."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError, RenderError
from pipeline.template import object_names
from pipeline.template.object_names import ROOT, bucket_problem, is_own, key_problem, shape_problem
from tests.parts.actions import aggregated, direct

DOTS = [".", "..", "../x", "./x", "a/../b", "a/./b", "a/..", "a/.", "/..", "//../x", "..\\x", "a\\..\\b"]
DECODED_DOTS = ["%2e%2e/x", "a/%2E./b", "%252e%252e/x", "..%2fx", "a%5c..%5cb"]
OWN = [
    "_tidegate",
    "_tidegate/",
    "_tidegate/hot/x.json",
    "/_tidegate/x",
    "//_tidegate//x",
    "_TideGate/x",
    "_tidegate\\x",
]
DECODED_OWN = ["%5ftidegate/x", "_tidegate%2Fx", "%2f_tidegate/x", "%255Ftidegate/x"]
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
SEPARATORS = [
    "\u2028",
    "\u2029",
    "\ufffe",
    "\uffff",
    "\ufdd0",
    "\ufdef",
    "\U0001fffe",
    "\U0010ffff",
    "\ud800",
    "\udfff",
]
GOOD = ["a", "a/b", "a//b", "/a", "a b", "…/ä", "...", "a/...", ".hidden", "a/.b", "a..b", "x_tidegate", "a/_tidegate/b",
        "_tidegates/x", "100%", "50%2f", "?acl", "#", "a+b&c", "\u202e", "\ue000", "x" * 1024]  # fmt: skip


@pytest.mark.parametrize(
    "key", ["", "a/", "dir//", "x" * 1025, "ä" * 513, *DOTS, *DECODED_DOTS, *OWN, *DECODED_OWN], ids=ascii
)
def test_a_key_that_leads_elsewhere_is_wrong(key: str) -> None:
    """As it is, and as a proxy would make it. What is said has the key in it, and nothing that breaks a line of the log."""
    said = key_problem(key)

    assert said
    assert said.isprintable()


@pytest.mark.parametrize("character", [*CONTROLS, *SEPARATORS], ids=ascii)
def test_a_key_with_what_no_listing_carries_is_wrong(character: str) -> None:
    """Wherever in the key it stands; what is said names it by its number."""
    for key in (character, f"a/{character}", f"{character}/b", f"a{character}b"):
        assert f"U+{ord(character):04X}" in key_problem(key)


@pytest.mark.parametrize("key", GOOD, ids=lambda key: ascii(key)[:20])
def test_odd_keys_stay_what_they_are(key: str) -> None:
    """A device may call itself as it likes, as long as it stays where it is put."""
    assert key_problem(key) == ""


@settings(deadline=None)
@given(st.text(st.sampled_from("._/\\%25eftidgaTIDE"), max_size=14))
def test_a_key_that_passes_is_never_tidied_into_the_ledger(text: str) -> None:
    """Whatever slashes, dots and percent signs a store resolves: judged by a reckoning of its own."""
    if key_problem(text):
        return

    tidied = re.sub(r"[/\\]+", "/", text).strip("/").split("/")
    assert not {".", ".."} & set(tidied)
    assert tidied[0].lower() != ROOT
    assert not is_own(text)


@pytest.mark.parametrize(
    "name",
    [
        "_tidegate.",
        "_tidegate ",
        "_TideGate. .",
        "_tidegate\u200b",
        "_tide\u200cgate",
        "\uff3ftidegate",
        "_tidegat\uff45",
    ],
)
def test_a_name_that_file_systems_take_for_the_ledgers_is_refused(name: str) -> None:
    """They ignore case, what ends a name, what cannot be seen, and how wide a letter is."""
    assert "which is the ledger's" in key_problem(f"{name}/hot/x")
    assert key_problem(f"x/{name}/hot/x") == ""


def test_the_ledgers_own_keys_have_the_right_shape() -> None:
    """What is forbidden to rows is not forbidden to the ledger."""
    assert shape_problem(f"{ROOT}/hot/mqtt.messages/0/00000000000000000000.000000.json") == ""


@pytest.mark.parametrize(
    "name",
    ["", "a", "ab", "a" * 64, "UPPER", "under_score", "..", "a..b", "a.-b", "a-.b", "-abc", "abc-", ".abc", "abc.", "1.2.3.4",
     "bucket/sub", "u@host/", "x?policy", "x#y", "a b", "abc\n", "b\u00fccher", "\uff41\uff42\uff43", "a:80", "%2e%2e"],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_buckets_name_is_wrong(name: str) -> None:
    """It would be a part of a URL: a host, a path, a query."""
    assert bucket_problem(name).isprintable()
    assert bucket_problem(name)


@pytest.mark.parametrize("name", ["abc", "a" * 63, "iot-data", "1bucket", "a.b.c", "192.168.5.400a", "xn--abc"])
def test_a_buckets_name(name: str) -> None:
    """By AWS's rules."""
    assert bucket_problem(name) == ""


@pytest.mark.parametrize("value", ["..", "_tidegate/x", "a\x00b", "dir/"])
def test_neither_kind_of_upload_renders_such_a_key(value: str) -> None:
    """The row is a dead letter; of aggregated upload, what stands behind the value may make it a good key."""
    row = {"v": value}
    with pytest.raises(RenderError):
        direct(key="${v}", content="x").render(row)
    if not value.endswith("/"):
        with pytest.raises(RenderError):
            aggregated(key="${v}/${partition}-${offset}-${epoch}.jsonl").key.group(row, 0)


def test_the_fixed_parts_of_an_aggregated_key_count_too() -> None:
    """Dots of the row beside dots of the template, and a value that begins the key only because another is empty."""
    action = aggregated(key="${a}${b}${c}/x-${partition}-${offset}-${epoch}.jsonl")

    for row in (
        {"a": ".", "b": ".", "c": ""},
        {"a": "", "b": "_tide", "c": "gate"},
        {"a": "/", "b": "_tidegate/", "c": ""},
    ):
        with pytest.raises(RenderError):
            action.key.group(row, 0)


@pytest.mark.parametrize("bucket", ["BUCKET", "..", "u@host/", "bucket-3/sub", "x?policy"])
def test_neither_kind_of_upload_renders_such_a_bucket(bucket: str) -> None:
    """The row is a dead letter."""
    with pytest.raises(RenderError):
        direct(bucket="${v}", content="x").render({"v": bucket, "clientid": "c", "id": "1"})
    with pytest.raises(RenderError):
        aggregated(bucket="${v}", ledger_bucket="ledgers").key.group({"v": bucket}, 0)


@pytest.mark.parametrize(
    "key", ["_tidegate/${clientid}", "../${clientid}", "dir/", "${clientid}/", "a\tb", "${a}/./${b}"]
)
def test_a_template_of_which_every_key_is_wrong_is_refused(key: str) -> None:
    """When the action is made, not row by row."""
    with pytest.raises(ConfigError, match="every key"):
        direct(key=key)


def test_a_template_that_statements_decide_is_left_to_its_rows() -> None:
    """What stands in it is known when it is rendered."""
    action = direct(key="${% if a == 1 %}x/${% endif %}${clientid}", content="x")

    assert action.render({"a": 1, "clientid": "c"}).key == "x/c"


@pytest.mark.parametrize("bucket", ["UPPER-${site}", "${site}/x", "-${site}"])
def test_a_template_of_which_every_bucket_is_wrong_is_refused(bucket: str) -> None:
    """When the action is made, not row by row."""
    with pytest.raises(ConfigError, match="every bucket"):
        direct(bucket=bucket)


@settings(deadline=None)
@given(st.text(st.sampled_from("a._/\\%2e\n\x7f\u2028é"), max_size=8))
def test_what_looks_plain_is_good(text: str) -> None:
    """The quick look lets nothing pass that the long one would refuse."""
    if object_names._is_plain(text):
        assert not object_names._UNFIT.search(text)
        assert not object_names._DOTS.search(text)
        assert not is_own(text)
