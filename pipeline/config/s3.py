"""Settings of S3: connectors, and the actions that write through them. Field names are EMQX's."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.containers import Container, JsonLines, Parquet
from pipeline.config.object_settings import ObjectSettings
from pipeline.config.resource_opts import ConnectorResourceOpts, ResourceOpts
from pipeline.config.s3_tls import S3Tls
from pipeline.config.section import Section
from pipeline.config.values import Bytes, Name, Seconds, Secret


class TransportOptions(Section):
    """How requests to the store are made."""

    ssl: S3Tls = Field(default_factory=S3Tls, description="TLS; on unless switched off.")
    connect_timeout: Seconds = Field(15.0, gt=0, description="Longest wait for a connection.")
    request_timeout: Seconds = Field(30.0, gt=0, description="Longest wait for an answer to one request.")
    pool_size: int = Field(64, ge=1, le=1024, description="Connections at most, per worker.")
    headers: dict[str, str] = Field(
        default_factory=dict,
        description="Headers of each PUT and of the requests of an upload in parts; an action's own come first.",
    )
    max_retries: int = Field(
        2,
        ge=0,
        le=100,
        description="Retries of one request at once, before its action counts as disconnected; then it is retried for ever.",
    )
    ipv6_probe: bool = Field(
        False, description="Without effect: both families are tried side by side (RFC 8305), IPv6 first."
    )
    pool_type: Literal["random", "hash"] = Field(
        "random", description="Without effect: a free connection takes the next request."
    )
    enable_pipelining: int | bool | None = Field(
        None, description="Without effect: requests are not pipelined, as in EMQX since 5.8.2."
    )


class S3Connector(Section):
    """One S3-compatible endpoint with its credentials, shared by many actions."""

    host: str = Field(description="Host name, without scheme or path.")
    port: int = Field(443, ge=1, le=65535, description="Port.")
    region: str = Field("", description="Signing region; default: the one in an AWS host name, else us-east-1.")
    access_key_id: str | None = Field(None, description="Access key; without it the environment or instance role.")
    secret_access_key: Secret | None = Field(None, description="Secret key, file:// or ${ENVIRONMENT} reference.")
    access_method: Literal["path", "vhost"] = Field("path", description="host/bucket/key or bucket.host/key.")
    transport_options: TransportOptions = Field(default_factory=TransportOptions, description="How requests are made.")
    resource_opts: ConnectorResourceOpts = Field(
        default_factory=ConnectorResourceOpts, description="Accepted as EMQX has them."
    )
    enable: bool = Field(True, description="A connector that is switched off stops its actions.")
    description: str = Field("", description="For people.")
    tags: list[str] = Field(default_factory=list, description="For people.")

    @field_validator("host")
    @classmethod
    def _host(cls, value: str) -> str:
        if not value or "/" in value:
            raise ValueError(f"expected a host name without scheme or path, found {value!r}")
        return value

    @model_validator(mode="after")
    def _both_keys(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("expected access_key_id and secret_access_key together, found only one of them")
        return self


Missing = Literal["undefined", "empty", "null", "dead_letter"]


class DirectParameters(ObjectSettings):
    """One object per row. Metadata and tags are templates too."""

    mode: Literal["direct"] = "direct"
    bucket: str = Field(min_length=1, description="Bucket; a template.")
    key: str = Field(min_length=1, description="Object key; a template.")
    content: str = Field("${.}", description="Object content; a template. ${payload} is the payload's very bytes.")
    missing: Missing = Field("undefined", description="What a template prints for a value that is not there.")
    write: Literal["fenced", "overwrite"] = Field(
        "fenced",
        description="fenced: no older row replaces a newer one, and a replay changes nothing; overwrite: plain PUTs.",
    )


class Aggregation(Section):
    """When the rows so far become an object."""

    time_interval: Seconds = Field(1800.0, ge=1, description="Oldest row an open chunk may hold; length of a window.")
    max_records: int = Field(100_000, ge=1, description="A chunk closes at so many rows.")
    max_bytes: Bytes = Field(64 << 20, ge=1, description="A chunk closes at so many bytes before compression.")


class AggregatedParameters(ObjectSettings):
    """Many rows per object."""

    mode: Literal["aggregated"]
    aggregation: Aggregation = Field(default_factory=Aggregation, description="When a chunk closes.")
    container: Container = Field(default_factory=JsonLines, description="File format of the objects.")
    compression: Literal["none", "gzip", "zstd"] = Field(
        "none", description="Compression of the objects; Parquet compresses inside."
    )
    compression_level: int | None = Field(
        None, description="Level of the compression: gzip 0 to 3, zstd 1 to 19; default 1."
    )
    bucket: str = Field(min_length=1, description="Bucket; a template, if `ledger_bucket` is given.")
    ledger_bucket: str | None = Field(
        None, min_length=1, description="Bucket of the ledger, if it is not that of the objects."
    )
    key: str = Field(
        min_length=1, description="Object key; a template. Partition, offset and epoch are added if absent."
    )
    min_part_size: Bytes = Field(
        5 << 20, ge=5 << 20, le=5 << 30, description="Larger objects are uploaded in parts of this size."
    )
    max_part_size: Bytes = Field(
        5 << 30,
        ge=5 << 20,
        le=5 << 30,
        description="Parts grow up to this size where an object would have more than 10,000 of them.",
    )
    missing: Missing = Field("undefined", description="What the key prints for a value that is not there.")

    @property
    def home(self) -> str:
        """The bucket of the ledger."""
        return self.ledger_bucket or self.bucket

    @model_validator(mode="after")
    def _one_ledger(self) -> Self:
        """The rows of a partition may go to many buckets; what proves them is in one."""
        if "${" in self.home:
            raise ValueError(
                f"bucket: expected the name of a bucket, or ledger_bucket beside it, found {self.bucket!r} alone: "
                "the ledger of all these buckets must be in one"
                if self.ledger_bucket is None
                else f"ledger_bucket: expected the name of a bucket, found {self.ledger_bucket!r}"
            )
        return self

    @model_validator(mode="after")
    def _ordered_part_sizes(self) -> Self:
        if self.min_part_size > self.max_part_size:
            raise ValueError(
                f"min_part_size: expected at most max_part_size, {self.max_part_size}, found {self.min_part_size}"
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

    connector: str = Field(description="Name of an S3 connector.")
    parameters: Annotated[DirectParameters | AggregatedParameters, Field(discriminator=None)] = Field(
        description="Direct or aggregated upload."
    )
    resource_opts: ResourceOpts = Field(
        default_factory=ResourceOpts, validate_default=True, description="What the action may use."
    )
    fallback_actions: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Without effect: nothing is dropped, and what can never be written is kept in the dead letter topic, "
        "from which `tidegate dead-letter redrive` sends it again.",
    )
    enable: bool = Field(True, description="An action that is switched off reads nothing and keeps its place.")
    description: str = Field("", description="For people.")
    tags: list[str] = Field(default_factory=list, description="For people.")

    @field_validator("resource_opts")
    @classmethod
    def _one_at_a_time(cls, value: ResourceOpts, info: ValidationInfo) -> ResourceOpts:
        """As in EMQX, direct mode shows that it has no batches, whatever was asked for."""
        direct = isinstance(info.data.get("parameters"), DirectParameters)
        return value.model_copy(update={"batch_size": 1, "batch_time": 0.0}) if direct else value

    @field_validator("parameters", mode="before")
    @classmethod
    def _by_mode(cls, value: object) -> object:
        """Pick the mode first, so that an error speaks of one shape and not of both."""
        if not isinstance(value, dict):
            return value
        models: dict[str, type[DirectParameters] | type[AggregatedParameters]] = {
            "direct": DirectParameters,
            "aggregated": AggregatedParameters,
        }
        mode = value.get("mode", "direct")
        if mode not in models:
            raise ValueError(f'expected mode "direct" or "aggregated", found {mode!r}')
        return models[mode].model_validate(value)


class Connectors(Section):
    """Links to outside systems."""

    s3: dict[Name, S3Connector] = Field(default_factory=dict, description="S3 endpoints by name.")


class Actions(Section):
    """What rules can do with their rows."""

    s3: dict[Name, S3Action] = Field(default_factory=dict, description="S3 actions by name.")
