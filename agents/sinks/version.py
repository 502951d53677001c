"""A version of an action: its rules and every setting that decides which bytes land under which key.

Two workers with the same version make the same objects of the same records. The ledger names the version of each cut, and its
text lies beside the ledger, so that a successor finishes a cut as it was begun, under the rules of then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.config import AggregatedParameters
from pipeline.config.dump import content_of, from_content
from pipeline.errors import LaneError, located
from pipeline.formats import make
from pipeline.rule import RuleSet, Schemas
from pipeline.template.object_key import KeyTemplate
from pipeline.upload.buffer import RollLimits


class Version:
    """Rules, key, container and limits, compiled. `digest` names them."""

    def __init__(
        self,
        action: str,
        node: str,
        rules: Mapping[str, str],
        parameters: AggregatedParameters,
        schemas: Schemas | None = None,
    ) -> None:
        """Compile. Raises SqlError, TemplateSyntaxError or ConfigError."""
        settings = content_of(parameters)
        if elsewhere := parameters.bucket != parameters.home:
            settings["bucket"] = parameters.bucket
        self.text = orjson.dumps(
            {"action": action, "node": node, "rules": dict(rules), "schemas": schemas or {}, "parameters": settings},
            option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2,
        )
        self.digest = hashlib.sha256(self.text).hexdigest()
        self.rules = RuleSet(rules, node=node, schemas=schemas, action=action)
        with located("parameters.key"):
            self.key = KeyTemplate(
                parameters.key,
                action=action,
                node=node,
                interval_seconds=parameters.aggregation.time_interval,
                missing=parameters.missing,
                bucket=parameters.bucket if elsewhere else "",
            )
        self.limits = RollLimits(parameters.aggregation.max_records, parameters.aggregation.max_bytes)
        self.interval_seconds = parameters.aggregation.time_interval
        with located("parameters.container"):
            self.container = make(
                settings["container"],
                compression=parameters.compression,
                level=parameters.compression_level,
                schemas=schemas,
            )


def from_text(text: bytes, *, bucket: str) -> Version:
    """The version whose `text` this is. Raises LaneError if it is none, or one that this program does not know."""
    try:
        fields: dict[str, Any] = orjson.loads(text)
        parameters = from_content(
            AggregatedParameters, {"bucket": bucket, **fields["parameters"], "ledger_bucket": bucket}
        )
        version = Version(fields["action"], fields["node"], fields["rules"], parameters, fields["schemas"])
        # A later program may know more settings: the version keeps the name that the ledger knows it by.
        version.text, version.digest = text, hashlib.sha256(text).hexdigest()
        return version
    except (ValueError, KeyError, TypeError) as error:
        raise LaneError(f"a version beside the ledger cannot be used: {error}") from None
