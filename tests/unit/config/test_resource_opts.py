"""All `resource_opts` of EMQX are accepted; each has its meaning, or says that it has none."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import S3Action, S3Connector
from pipeline.config.resource_opts import ConnectorResourceOpts, ResourceOpts

EMQX: dict[str, Any] = {
    "worker_pool_size": 16,
    "dispatch_strategy": "per_clientid",
    "health_check_interval": "15s",
    "health_check_interval_jitter": "0ms",
    "health_check_timeout": "60s",
    "query_mode": "async",
    "inflight_window": 100,
    "request_ttl": "45s",
    "max_buffer_bytes": "256MB",
    "batch_size": 100,
    "batch_time": "10ms",
    "start_after_created": True,
    "start_timeout": "5s",
    "buffer_mode": "memory_only",
    "buffer_seg_bytes": "10mb",
    "resume_interval": "15s",
    "metrics_flush_interval": "5s",
}
WITH_EFFECT = {
    "health_check_interval",
    "health_check_interval_jitter",
    "health_check_timeout",
    "inflight_window",
    "max_buffer_bytes",
    "query_mode",
    "resume_interval",
}
OUR_OWN = {"row_patience"}


def action(mode: str, **options: Any) -> S3Action:
    parameters = {"mode": mode, "bucket": "sink", "key": "k"}
    return S3Action.model_validate({"connector": "c", "parameters": parameters, "resource_opts": options})


def test_everything_that_emqx_knows_is_accepted_and_what_has_no_effect_says_so() -> None:
    """Both modes accept all options of EMQX, and the help of an option without effect says so."""
    assert action("direct", **EMQX).resource_opts.max_buffer_bytes == 256 << 20
    assert action("aggregated", **EMQX).resource_opts.batch_size == 100
    assert set(ResourceOpts.model_fields) == {*EMQX, *OUR_OWN}
    without = {
        name
        for name, field in ResourceOpts.model_fields.items()
        if (field.description or "").startswith("Without effect")
    }
    assert without == set(EMQX) - WITH_EFFECT


def test_direct_mode_shows_that_it_has_no_batches() -> None:
    """Direct mode shows batch size 1 and batch time 0, whatever was given."""
    for options in ({}, {"batch_size": 500, "batch_time": "1s"}):
        shown = action("direct", **options).resource_opts
        assert (shown.batch_size, shown.batch_time) == (1, 0.0)


def test_older_names_and_infinity_are_understood() -> None:
    """Older names of options, and infinity, are read as in EMQX."""
    shown = action(
        "direct",
        async_inflight_window=7,
        max_queue_bytes="2mb",
        request_timeout="infinity",
        health_check_timeout="infinity",
    ).resource_opts

    assert (shown.inflight_window, shown.max_buffer_bytes) == (7, 2 << 20)
    assert math.isinf(shown.request_ttl)
    assert math.isinf(shown.health_check_timeout)


def test_sync_means_one_put_at_a_time() -> None:
    """With query_mode sync, one PUT is under way at a time, whatever the window is."""
    assert action("direct", query_mode="sync", inflight_window=50).resource_opts.puts_at_once == 1
    assert action("direct", inflight_window=50).resource_opts.puts_at_once == 50


@pytest.mark.parametrize(
    "options", [{"worker_pool_size": 0}, {"health_check_interval": "2h"}, {"query_mode": "later"}, {"unknown": 1}]
)
def test_what_emqx_would_refuse_is_refused(options: dict[str, Any]) -> None:
    """Values beyond EMQX's limits and unknown names are refused."""
    with pytest.raises(ValidationError):
        action("direct", **options)


def test_a_connector_takes_its_own_four() -> None:
    """A connector accepts its own four options and no option of an action."""
    four = {name: EMQX[name] for name in ConnectorResourceOpts.model_fields}

    S3Connector.model_validate({"host": "h", "resource_opts": four, "tags": ["a"]})
    assert len(four) == 4
    with pytest.raises(ValidationError):
        S3Connector.model_validate({"host": "h", "resource_opts": {"inflight_window": 1}})


def test_fallback_actions_are_accepted_and_said_to_have_no_effect() -> None:
    """The help of fallback_actions says that they have no effect."""
    fallbacks = [{"kind": "reference", "type": "http", "name": "h"}, {"kind": "republish", "args": {"topic": "t"}}]
    parameters = {"bucket": "sink", "key": "k"}
    given = {"connector": "c", "parameters": parameters, "fallback_actions": fallbacks}

    assert S3Action.model_validate(given).fallback_actions == fallbacks
    assert (S3Action.model_fields["fallback_actions"].description or "").startswith("Without effect")
