"""Settings of S3: connectors, and the actions that write through them. Field names are EMQX's."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Tag, ValidationInfo, field_validator, model_validator

from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import ContentSection, Section, by_tag, setting
from pipeline.config.base.values import Bucket, Bytes, Name, Seconds, size_text
from pipeline.config.containers import Container, JsonLines, Parquet
from pipeline.config.object_settings import ObjectSettings
from pipeline.config.resource_opts import ConnectorResourceOpts, ResourceOpts
from pipeline.config.tls import S3Tls


def _host(value: str) -> str:
    if not value or "/" in value:
        raise ValueError("expected a host name without scheme or path")
    return value


class TransportOptions(Section):
    """How requests to the store are made."""

    ssl: S3Tls = setting(advanced=True, default_factory=S3Tls, description="TLS; on unless switched off.")
    connect_timeout: Seconds = setting(15.0, advanced=True, gt=0, description="Longest wait for a connection.")
    request_timeout: Seconds = setting(
        30.0, advanced=True, gt=0, description="Longest wait for an answer to one request."
    )
    pool_size: int = setting(64, advanced=True, ge=1, le=1024, description="Connections at most, per worker.")
    headers: dict[str, str] = setting(
        default_factory=dict,
        advanced=True,
        private=True,
        description="Headers of each PUT and of the requests of an upload in parts; an action's own come first.",
    )
    max_retries: int = setting(
        2,
        advanced=True,
        ge=0,
        le=100,
        description="Retries of one request at once, before its action counts as disconnected; then it is retried for ever.",
    )
    ipv6_probe: bool = setting(
        False,
        description="Without effect: both families are tried side by side (RFC 8305), IPv6 first.",
        advanced=True,
    )
    pool_type: Literal["random", "hash"] = setting(
        "random",
        description="Without effect: a free connection takes the next request.",
        advanced=True,
    )
    enable_pipelining: int | bool | None = setting(
        None,
        description="Without effect: requests are not pipelined, as in EMQX since 5.8.2.",
        advanced=True,
    )


class S3Connector(Section):
    """One S3-compatible endpoint with its credentials, shared by many actions."""

    host: Annotated[str, AfterValidator(_host)] = setting(
        advanced=False, description="Host name, without scheme or path."
    )
    port: int = setting(443, advanced=False, ge=1, le=65535, description="Port.")
    region: str = setting(
        "", advanced=False, description="Signing region; default: the one in an AWS host name, else us-east-1."
    )
    access_key_id: str | None = setting(
        None, advanced=False, description="Access key; without it the environment or instance role."
    )
    secret_access_key: Secret | None = setting(
        None, advanced=False, description="Secret key: a text, ${NAME} or file:///path."
    )
    access_method: Literal["path", "vhost"] = setting(
        "path", advanced=False, description="host/bucket/key or bucket.host/key."
    )
    transport_options: TransportOptions = setting(
        advanced=True, default_factory=TransportOptions, description="How requests are made."
    )
    resource_opts: ConnectorResourceOpts = setting(
        default_factory=ConnectorResourceOpts,
        description="Accepted as EMQX has them.",
        advanced=True,
    )
    enable: bool = setting(True, advanced=False, description="A connector that is switched off stops its actions.")
    description: str = setting("", advanced=False, syntax="prose", description="For people.")
    tags: list[str] = setting(advanced=True, syntax="prose", default_factory=list, description="For people.")

    @model_validator(mode="after")
    def _both_keys(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("expected access_key_id and secret_access_key together, found only one of them")
        return self


Missing = Literal["undefined", "empty", "null", "dead_letter"]


class DirectParameters(ObjectSettings):
    """One object per row. Metadata and tags are templates too."""

    mode: Literal["direct"] = setting("direct", advanced=False, content=True)
    bucket: Bucket = setting(advanced=False, content=False, syntax="template", description="Bucket; a template.")
    key: str = setting(
        advanced=False, content=True, syntax="template", min_length=1, description="Object key; a template."
    )
    content: str = setting(
        "${.}",
        advanced=False,
        content=True,
        syntax="template",
        description="Object content; a template. ${payload} is the payload's very bytes.",
    )
    missing: Missing = setting(
        "undefined", advanced=True, content=True, description="What a template prints for a value that is not there."
    )
    write: Literal["fenced", "overwrite"] = setting(
        "fenced",
        advanced=True,
        content=False,
        description="fenced: no older row replaces a newer one, and a replay changes nothing; overwrite: plain PUTs.",
    )


class Aggregation(ContentSection):
    """When the rows so far become an object."""

    time_interval: Seconds = setting(
        1800.0, advanced=False, content=True, ge=1, description="Oldest row an open chunk may hold; length of a window."
    )
    max_records: int = setting(
        100_000, advanced=False, content=True, ge=1, description="A chunk closes at so many rows."
    )
    max_bytes: Bytes = setting(
        64 << 20, advanced=False, content=True, ge=1, description="A chunk closes at so many bytes before compression."
    )


class AggregatedParameters(ObjectSettings):
    """Many rows per object."""

    mode: Literal["aggregated"] = setting(advanced=False, content=True)
    aggregation: Aggregation = setting(
        advanced=False, content=True, default_factory=Aggregation, description="When a chunk closes."
    )
    container: Container = setting(
        advanced=False, content=True, default_factory=JsonLines, description="File format of the objects."
    )
    compression: Literal["none", "gzip", "zstd"] = setting(
        "none",
        description="Compression of the objects; Parquet compresses inside.",
        advanced=False,
        content=True,
    )
    compression_level: int | None = setting(
        None,
        description="Level of the compression: gzip 0 to 3, zstd 1 to 19; default 1.",
        advanced=True,
        content=True,
    )
    bucket: Bucket = setting(
        advanced=False,
        content=False,
        syntax="template",
        description="Bucket; a template, if `ledger_bucket` is given.",
    )
    ledger_bucket: Bucket | None = setting(
        None,
        description="Bucket of the ledger, if it is not that of the objects.",
        advanced=True,
        content=False,
    )
    key: str = setting(
        min_length=1,
        description="Object key; a template. Partition, offset and epoch are added if absent.",
        advanced=False,
        content=True,
        syntax="template",
    )
    min_part_size: Bytes = setting(
        5 << 20,
        ge=5 << 20,
        le=5 << 30,
        description="Larger objects are uploaded in parts of this size.",
        advanced=True,
        content=False,
    )
    max_part_size: Bytes = setting(
        5 << 30,
        advanced=True,
        content=False,
        ge=5 << 20,
        le=5 << 30,
        description="Parts grow up to this size where an object would have more than 10,000 of them.",
    )
    missing: Missing = setting(
        "undefined", advanced=True, content=True, description="What the key prints for a value that is not there."
    )

    @property
    def home(self) -> str:
        """The bucket of the ledger."""
        return self.ledger_bucket or self.bucket

    @model_validator(mode="after")
    def _one_ledger(self) -> Self:
        """The rows of a partition may go to many buckets; what proves them is in one."""
        if "${" in self.home:
            which = "bucket" if self.ledger_bucket is None else "ledger_bucket"
            raise ValueError(
                f"{which}: expected the name of a bucket, since a ledger is in one bucket whatever buckets its objects are in;"
                " with a template as bucket, name it by ledger_bucket"
            )
        return self

    @model_validator(mode="after")
    def _ordered_part_sizes(self) -> Self:
        if self.min_part_size > self.max_part_size:
            raise ValueError(
                f"min_part_size: expected at most max_part_size, {size_text(self.max_part_size)},"
                f" found {size_text(self.min_part_size)}"
            )
        return self

    @model_validator(mode="after")
    def _compressed_once(self) -> Self:
        if self.compression != "none" and isinstance(self.container, Parquet):
            raise ValueError(
                f"expected compression none with Parquet, whose default_compression compresses inside, found {self.compression}"
            )
        if self.compression == "none" and self.compression_level is not None:
            raise ValueError(f"expected no compression_level with compression none, found {self.compression_level}")
        return self


class S3Action(Section):
    """What a rule does with its rows: where and how they are written."""

    connector: str = setting(advanced=False, description="Name of an S3 connector.")
    parameters: Annotated[
        Annotated[DirectParameters, Tag("direct")] | Annotated[AggregatedParameters, Tag("aggregated")],
        by_tag("mode", "direct"),
    ] = setting(advanced=False, description="Direct or aggregated upload.")
    resource_opts: ResourceOpts = setting(
        default_factory=ResourceOpts,
        validate_default=True,
        description="What the action may use.",
        advanced=True,
    )
    fallback_actions: list[dict[str, Any]] = setting(
        default_factory=list,
        advanced=True,
        private=True,
        syntax="emqx",
        description="Without effect: nothing is dropped, and what can never be written is kept in the dead letter topic, "
        "from which `tidegate dead-letter redrive` sends it again.",
    )
    enable: bool = setting(
        True, advanced=False, description="An action that is switched off reads nothing and keeps its place."
    )
    description: str = setting("", advanced=False, syntax="prose", description="For people.")
    tags: list[str] = setting(advanced=True, syntax="prose", default_factory=list, description="For people.")

    @field_validator("resource_opts")
    @classmethod
    def _one_at_a_time(cls, value: ResourceOpts, info: ValidationInfo) -> ResourceOpts:
        """As in EMQX, direct mode shows that it has no batches, whatever was asked for."""
        if not isinstance(info.data.get("parameters"), DirectParameters):
            return value
        shown = value.model_copy(update={"batch_size": 1, "batch_time": 0.0})
        shown.__pydantic_fields_set__.intersection_update(value.model_fields_set)
        return shown


class Connectors(Section):
    """Links to outside systems."""

    s3: dict[Name, S3Connector] = setting(advanced=False, default_factory=dict, description="S3 endpoints by name.")


class Actions(Section):
    """What rules can do with their rows."""

    s3: dict[Name, S3Action] = setting(advanced=False, default_factory=dict, description="S3 actions by name.")
