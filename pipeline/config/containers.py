"""Settings of containers, the file formats of aggregated upload. pipeline/formats has what they mean."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base.section import ContentSection, setting
from pipeline.config.base.values import Bytes


class JsonLines(ContentSection):
    """One JSON object per line."""

    type: Literal["json_lines"] = setting(
        "json_lines", advanced=False, content=True, description="One JSON object per line."
    )


class RawLines(ContentSection):
    """The bytes of one field per line."""

    type: Literal["raw_lines"] = setting(advanced=False, content=True, description="The bytes of one field per line.")
    field: str = setting(
        "payload",
        advanced=False,
        content=True,
        min_length=1,
        description="Field of the row whose text or bytes are the line.",
    )


class Csv(ContentSection):
    """Cells of text, a line per row."""

    type: Literal["csv"] = setting(advanced=False, content=True, description="Cells of text, a line per row.")
    column_order: list[str] = setting(
        default_factory=list,
        description="Columns that come first, in this order, whether any row has them or not.",
        advanced=False,
        content=True,
    )
    other_columns: Literal["append", "ignore", "dead_letter"] = setting(
        "append",
        advanced=True,
        content=True,
        description="Fields that column_order does not name: further columns, sorted; left out; or the record is refused.",
    )
    header: bool = setting(
        True, advanced=False, content=True, description="Begin each object with a line of the columns' names."
    )
    null: str = setting(
        "null", advanced=True, content=True, description="Text of null; what a row does not have is an empty cell."
    )
    delimiter: str = setting(
        ",", advanced=True, content=True, pattern=r'^[^"\r\n\[\]]$', description="The character between cells."
    )
    line_end: Literal["lf", "crlf"] = setting("lf", advanced=True, content=True, description="What ends a line.")


class AvroInline(ContentSection):
    """Columns from an Avro schema in place."""

    type: Literal["avro_inline"] = setting(
        advanced=False, content=True, description="Columns from an Avro schema in place."
    )
    definition: str = setting(
        advanced=False,
        content=True,
        syntax="schema",
        alias="def",
        min_length=1,
        description="The Avro record schema, as JSON text.",
    )


class AvroRef(ContentSection):
    """Columns from an Avro schema of the section `schemas`."""

    type: Literal["avro_ref"] = setting(
        advanced=False, content=True, description="Columns from an Avro schema of the section `schemas`."
    )
    name: str = setting(advanced=False, content=True, min_length=1, description="Name of the schema.")


class Inferred(ContentSection):
    """Columns that fit the rows of each object."""

    type: Literal["inferred"] = setting(
        "inferred", advanced=False, content=True, description="Columns that fit the rows of each object."
    )


class Parquet(ContentSection):
    """Columns of typed values."""

    type: Literal["parquet"] = setting(advanced=False, content=True, description="Columns of typed values.")
    columns: Annotated[AvroInline | AvroRef | Inferred, Field(discriminator="type")] = setting(
        advanced=False,
        content=True,
        default_factory=Inferred,
        alias="schema",
        description="Where the columns come from.",
    )
    default_compression: Literal["snappy", "zstd", "none"] = setting(
        "snappy", advanced=True, content=True, description="Compression of the columns."
    )
    max_row_group_bytes: Bytes = setting(
        128 << 20,
        ge=1 << 20,
        description="A row group is closed at so many bytes before compression.",
        advanced=True,
        content=True,
    )
    enable_dictionary: bool = setting(
        True, advanced=True, content=True, description="Store values that repeat once, in a dictionary of their column."
    )
    data_page_header_version: Literal[1, 2] = setting(
        2, advanced=True, content=True, description="Version of data pages; 1 for old readers."
    )
    write_old_list_structure: bool = setting(
        False,
        description="Without effect: lists have the three levels that the format has had since 2014.",
        advanced=True,
        content=False,
    )


Container = Annotated[JsonLines | RawLines | Csv | Parquet, Field(discriminator="type")]
