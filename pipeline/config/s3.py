"""Settings of S3: connectors, and the actions that use them. Field names are EMQX's."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, Tag, ValidationInfo, field_validator, model_validator

from pipeline.config.base.object_settings import ObjectSettings
from pipeline.config.base.secrets import Secret, texts_of
from pipeline.config.base.section import ContentSection, Section, by_tag, setting
from pipeline.config.base.values import RECORDS_MAX, Bucket, Bytes, Name, Seconds, size_text
from pipeline.config.containers import Container, JsonLines, Parquet
from pipeline.config.resource_opts import ConnectorResourceOpts, ResourceOpts
from pipeline.config.tls import S3Tls
from pipeline.upload.headers import checked


def _host(value: str) -> str:
    if not value or "/" in value or "@" in value:
        raise ValueError("expected a host name without scheme or path")
    return value


class TransportOptions(Section):
    """Settings of requests to the store."""

    ssl: S3Tls = setting(advanced=True, default_factory=S3Tls, description="TLS. On by default.")
    connect_timeout: Seconds = setting(15.0, advanced=True, gt=0, description="The longest wait for a connection.")
    request_timeout: Seconds = setting(
        30.0, advanced=True, gt=0, description="The longest wait for the answer to one request."
    )
    pool_size: int = setting(64, advanced=True, ge=1, le=1024, description="The most connections of one worker.")
    headers: dict[str, Secret] = setting(
        default_factory=dict,
        advanced=True,
        private=True,
        description="Headers of each PUT and of the requests of an upload in parts. Headers of an action take"
        " precedence. Values: text, ${NAME} or file:///path.",
    )
    max_retries: int = setting(
        2,
        advanced=True,
        ge=0,
        le=100,
        description="Immediate retries of one request before its action counts as disconnected. Retries then go on"
        " without end.",
    )
    ipv6_probe: bool = setting(
        False,
        description="Without effect: IPv6 and IPv4 are tried side by side (RFC 8305), IPv6 first.",
        advanced=True,
    )
    pool_type: Literal["random", "hash"] = setting(
        "random",
        description="Without effect: a free connection takes the next request.",
        advanced=True,
    )
    enable_pipelining: Annotated[int, Field(le=1000)] | bool | None = setting(
        None,
        description="Without effect: requests are not pipelined, as in EMQX since 5.8.2.",
        advanced=True,
    )

    @field_validator("headers")
    @classmethod
    def _of_no_request(cls, value: dict[str, Secret]) -> dict[str, Secret]:
        checked(texts_of(value))
        return value


class S3Connector(Section):
    """One S3-compatible endpoint with its credentials. Actions share it."""

    host: Annotated[str, AfterValidator(_host)] = setting(
        advanced=False, description="Host name, without scheme or path."
    )
    port: int = setting(443, advanced=False, ge=1, le=65535, description="TCP port.")
    region: str = setting(
        "", advanced=False, description="Region for signing. Default: the region in an AWS host name, else us-east-1."
    )
    access_key_id: str | None = setting(
        None,
        advanced=False,
        description="Access key. Without it, credentials come from the environment or the machine's role.",
    )
    secret_access_key: Secret | None = setting(
        None, advanced=False, description="Secret key: text, ${NAME} or file:///path."
    )
    access_method: Literal["path", "vhost"] = setting(
        "path", advanced=False, description="Form of URLs. path: host/bucket/key. vhost: bucket.host/key."
    )
    transport_options: TransportOptions = setting(
        advanced=True, default_factory=TransportOptions, description="Settings of requests to the store."
    )
    resource_opts: ConnectorResourceOpts = setting(
        default_factory=ConnectorResourceOpts,
        description="Accepted for compatibility with EMQX.",
        advanced=True,
    )
    enable: bool = setting(
        True, advanced=False, description="Whether the connector may be used. If false, its actions do not run."
    )
    description: str = setting(
        "", advanced=False, syntax="prose", description="Description for people, without effect."
    )
    tags: list[str] = setting(
        advanced=True, syntax="prose", default_factory=list, description="Description for people, without effect."
    )

    @model_validator(mode="after")
    def _both_keys(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("expected access_key_id and secret_access_key together, found only one of them")
        return self


Missing = Literal["undefined", "empty", "null", "dead_letter"]


class DirectParameters(ObjectSettings):
    """One object for each row. Metadata and tags are templates too."""

    mode: Literal["direct"] = setting("direct", advanced=False, content=True)
    bucket: Bucket = setting(advanced=False, content=False, syntax="template", description="Template of the bucket.")
    key: str = setting(
        advanced=False, content=True, syntax="template", min_length=1, description="Template of the object key."
    )
    content: str = setting(
        "${.}",
        advanced=False,
        content=True,
        syntax="template",
        description="Template of the object's content. ${payload} is the exact bytes of the payload.",
    )
    missing: Missing = setting(
        "undefined",
        advanced=True,
        content=True,
        description="What templates print for a missing value. dead_letter: the row becomes a dead letter.",
    )
    write: Literal["fenced", "overwrite"] = setting(
        "fenced",
        advanced=True,
        content=False,
        description="fenced: no older row replaces a newer one, and a replay changes nothing. overwrite: plain PUTs.",
    )
    conflate: bool = setting(
        False,
        advanced=True,
        content=False,
        description="Of the rows that wait for one key, write only the newest. For keys of the latest value, such as"
        " latest/${clientid}.json. The order is then that of each key, not of each client.",
    )


class Aggregation(ContentSection):
    """Limits at which an open chunk closes and becomes an object."""

    time_interval: Seconds = setting(
        1800.0,
        advanced=False,
        content=True,
        ge=1,
        description="The longest time that a row waits in an open chunk, and the length of a time window.",
    )
    max_records: int = setting(
        100_000,
        advanced=False,
        content=True,
        ge=1,
        le=RECORDS_MAX,
        description="Number of rows at which a chunk closes.",
    )
    max_bytes: Bytes = setting(
        64 << 20, advanced=False, content=True, ge=1, description="Size at which a chunk closes, before compression."
    )


class AggregatedParameters(ObjectSettings):
    """Many rows in each object."""

    mode: Literal["aggregated"] = setting(advanced=False, content=True)
    aggregation: Aggregation = setting(
        advanced=False, content=True, default_factory=Aggregation, description="Limits at which a chunk closes."
    )
    container: Container = setting(
        advanced=False, content=True, default_factory=JsonLines, description="File format of the objects."
    )
    compression: Literal["none", "gzip", "zstd"] = setting(
        "none",
        description="Compression of the objects. Parquet compresses inside the file instead.",
        advanced=False,
        content=True,
    )
    content_encoding: bool = setting(
        True,
        description="Name the compression in the header Content-Encoding. HTTP clients then decompress the object as they"
        " download it. Set false for readers that go by the ending of the key, such as .gz.",
        advanced=True,
        content=True,
    )
    compression_level: int | None = setting(
        None,
        ge=0,
        le=19,
        description="Level of the compression: gzip 0 to 3, zstd 1 to 19. Default: 1.",
        advanced=True,
        content=True,
    )
    bucket: Bucket = setting(
        advanced=False,
        content=False,
        syntax="template",
        description="Bucket. It may be a template if `ledger_bucket` is set.",
    )
    ledger_bucket: Bucket | None = setting(
        None,
        description="Bucket of the ledger. Default: `bucket`.",
        advanced=True,
        content=False,
    )
    key: str = setting(
        min_length=1,
        description="Template of the object key. If partition, offset or epoch is absent, it is added.",
        advanced=False,
        content=True,
        syntax="template",
    )
    min_part_size: Bytes = setting(
        5 << 20,
        ge=5 << 20,
        le=5 << 30,
        description="Objects larger than this are uploaded in parts of this size.",
        advanced=True,
        content=False,
    )
    max_part_size: Bytes = setting(
        5 << 30,
        advanced=True,
        content=False,
        ge=5 << 20,
        le=5 << 30,
        description="Parts grow up to this size if an object would have more than 10,000 parts.",
    )
    missing: Missing = setting(
        "undefined",
        advanced=True,
        content=True,
        description="What the key prints for a missing value. dead_letter: the row becomes a dead letter.",
    )

    @property
    def home(self) -> str:
        """The bucket of the ledger."""
        return self.ledger_bucket or self.bucket

    @model_validator(mode="after")
    def _one_ledger(self) -> Self:
        """The rows of a partition may go to many buckets, but their ledger is in one bucket."""
        if "${" in self.home:
            which = "bucket" if self.ledger_bucket is None else "ledger_bucket"
            raise ValueError(
                f"{which}: expected the name of a bucket, since the ledger is in one bucket; if bucket is a"
                " template, set ledger_bucket"
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
                f"expected compression none with Parquet, whose default_compression compresses inside, found"
                f" {self.compression}"
            )
        if self.compression == "none" and self.compression_level is not None:
            raise ValueError(f"expected no compression_level with compression none, found {self.compression_level}")
        return self


class S3Action(Section):
    """A named way to write the rows of rules: a connector with keys, buckets and contents."""

    connector: str = setting(advanced=False, description="Name of an S3 connector.")
    parameters: Annotated[
        Annotated[DirectParameters, Tag("direct")] | Annotated[AggregatedParameters, Tag("aggregated")],
        by_tag("mode", "direct"),
    ] = setting(advanced=False, description="Direct or aggregated upload.")
    resource_opts: ResourceOpts = setting(
        default_factory=ResourceOpts,
        validate_default=True,
        description="Limits and health checks of the action.",
        advanced=True,
    )
    fallback_actions: list[dict[str, Any]] = setting(
        default_factory=list,
        advanced=True,
        private=True,
        syntax="emqx",
        description="Without effect: nothing is dropped. Rows that can never be written are in the dead letter"
        " topic, and `tidegate dead-letter redrive` sends them again.",
    )
    enable: bool = setting(
        True, advanced=False, description="Whether the action runs. If false, it reads nothing and keeps its offsets."
    )
    description: str = setting(
        "", advanced=False, syntax="prose", description="Description for people, without effect."
    )
    tags: list[str] = setting(
        advanced=True, syntax="prose", default_factory=list, description="Description for people, without effect."
    )

    @field_validator("resource_opts")
    @classmethod
    def _one_at_a_time(cls, value: ResourceOpts, info: ValidationInfo) -> ResourceOpts:
        """As in EMQX, direct mode has no batches, and its settings always show this."""
        if not isinstance(info.data.get("parameters"), DirectParameters):
            return value
        shown = value.model_copy(update={"batch_size": 1, "batch_time": 0.0})
        shown.__pydantic_fields_set__.intersection_update(value.model_fields_set)
        return shown


class Connectors(Section):
    """Connections to outside systems."""

    s3: dict[Name, S3Connector] = setting(advanced=False, default_factory=dict, description="S3 endpoints by name.")


class Actions(Section):
    """Actions that rules can use for their rows."""

    s3: dict[Name, S3Action] = setting(advanced=False, default_factory=dict, description="S3 actions by name.")
