"""Rows of a direct action stay out of the folders of aggregated ones."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.action import DirectAction, compile_action
from pipeline.config import Config
from pipeline.errors import RenderError


def direct_beside(key: str, theirs: dict[str, Any], *, connector: str = "store", bucket: str = "lake") -> DirectAction:
    """A direct action with this key, beside an aggregated one called hot."""
    aggregated = {"mode": "aggregated", "bucket": "lake", "key": "hot/day=${datetime.DD}/x.jsonl", **theirs}
    config = {
        "pipeline": "p",
        "kafka": {"bootstrap_servers": "127.0.0.1:9092"},
        "connectors": {"s3": {"store": {"host": "h"}, "again": {"host": "h"}, "other": {"host": "elsewhere"}}},
        "actions": {
            "s3": {
                "raw": {"connector": connector, "parameters": {"bucket": bucket, "key": key, "content": "x"}},
                "hot": {"connector": "store", "parameters": aggregated},
            }
        },
    }
    found = compile_action(Config.model_validate(config), "raw")
    assert isinstance(found, DirectAction)
    return found


@pytest.mark.parametrize(
    "name", ["hot/0-0-0.jsonl", "hot/x", "/hot/x", "//hot//x", "hot", "hot\\x", "%68ot/x", "hot%2fx", "%2568ot/x"]
)
def test_what_a_device_sends_does_not_lead_into_another_actions_folder(name: str) -> None:
    """Not to an object that is there, nor to one that is to come, nor to the folder's own name."""
    for connector, key in (("store", "hot/${partition}.jsonl"), ("again", "//hot//${partition}.jsonl")):
        with pytest.raises(RenderError, match="s3:hot"):
            direct_beside("${clientid}", {"key": key}, connector=connector).render({"clientid": name})


@pytest.mark.parametrize(
    ("key", "theirs", "options"),
    [
        ("${clientid}", {"bucket": "sea"}, {}),
        ("${clientid}", {}, {"connector": "other"}),
        ("${clientid}", {}, {"bucket": "sea"}),
        ("${clientid}", {"key": "x-${partition}.jsonl"}, {}),
        ("hot/day=1/${clientid}", {"key": "hot/${partition}.jsonl"}, {}),
        ("raw/${clientid}", {}, {}),
    ],
)
def test_elsewhere_a_row_is_where_its_template_puts_it(
    key: str, theirs: dict[str, Any], options: dict[str, str]
) -> None:
    """Another bucket, another store, no folder, or the fixed text of the key itself lies there."""
    action = direct_beside(key, theirs, **options)

    assert action.render({"clientid": "hot/x"}).key == key.replace("${clientid}", "hot/x")


@pytest.mark.parametrize("name", ["hotel/x", "a/hot/x", "ho", "hot2"])
def test_a_name_that_is_only_like_it_is_good(name: str) -> None:
    """Segments are compared, not letters."""
    assert direct_beside("${clientid}", {}).render({"clientid": name}).key == name
