"""Settings of containers, the file formats of aggregated upload. pipeline/formats has what they mean."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Section
from pipeline.config.values import Bytes


class JsonLines(Section):
    """One JSON object per line."""

    type: Literal["json_lines"] = Field("json_lines", description="One JSON object per line.")


class RawLines(Section):
    """The bytes of one field per line."""

    type: Literal["raw_lines"] = Field(description="The bytes of one field per line.")
    field: str = Field("payload", min_length=1, description="Field of the row whose text or bytes are the line.")


class Csv(Section):
    """Cells of text, a line per row."""

    type: Literal["csv"] = Field(description="Cells of text, a line per row.")
    column_order: list[str] = Field(
        default_factory=list, description="Columns that come first, in this order, whether any row has them or not."
    )
    other_columns: Literal["append", "ignore", "dead_letter"] = Field(
        "append",
        description="Fields that column_order does not name: further columns, sorted; left out; or the record is refused.",
    )
    header: bool = Field(True, description="Begin each object with a line of the columns' names.")
    null: str = Field("null", description="Text of null; what a row does not have is an empty cell.")
    delimiter: str = Field(",", pattern=r'^[^"\r\n\[\]]$', description="The character between cells.")
    line_end: Literal["lf", "crlf"] = Field("lf", description="What ends a line.")


class AvroInline(Section):
    """Columns from an Avro schema in place."""

    type: Literal["avro_inline"] = Field(description="Columns from an Avro schema in place.")
    definition: str = Field(alias="def", min_length=1, description="The Avro record schema, as JSON text.")


class AvroRef(Section):
    """Columns from an Avro schema of the section `schemas`."""

    type: Literal["avro_ref"] = Field(description="Columns from an Avro schema of the section `schemas`.")
    name: str = Field(min_length=1, description="Name of the schema.")


class Inferred(Section):
    """Columns that fit the rows of each object."""

    type: Literal["inferred"] = Field("inferred", description="Columns that fit the rows of each object.")


class Parquet(Section):
    """Columns of typed values."""

    type: Literal["parquet"] = Field(description="Columns of typed values.")
    columns: Annotated[AvroInline | AvroRef | Inferred, Field(discriminator="type")] = Field(
        default_factory=Inferred, alias="schema", description="Where the columns come from."
    )
    default_compression: Literal["snappy", "zstd", "none"] = Field("snappy", description="Compression of the columns.")
    max_row_group_bytes: Bytes = Field(
        128 << 20, ge=1 << 20, description="A row group is closed at so many bytes before compression."
    )
    enable_dictionary: bool = Field(True, description="Store values that repeat once, in a dictionary of their column.")
    data_page_header_version: Literal[1, 2] = Field(2, description="Version of data pages; 1 for old readers.")
    write_old_list_structure: bool = Field(
        False, description="Without effect: lists have the three levels that the format has had since 2014."
    )


Container = Annotated[JsonLines | RawLines | Csv | Parquet, Field(discriminator="type")]
