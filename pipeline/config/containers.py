"""Settings of containers, the file formats of aggregated upload. pipeline/formats implements them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.base.section import ContentSection, setting
from pipeline.config.base.values import Bytes


class NamedColumns(ContentSection):
    """A container whose rows have named fields."""

    left_out: list[str] = setting(
        default_factory=list,
        advanced=True,
        content=True,
        alias="except",
        description="Fields of the rows that are not written, such as those that are in the key.",
    )


class JsonLines(NamedColumns):
    """One JSON object a line."""

    type: Literal["json_lines"] = setting(
        "json_lines", advanced=False, content=True, description="One JSON object a line."
    )


class RawLines(ContentSection):
    """The bytes of one field a line."""

    type: Literal["raw_lines"] = setting(advanced=False, content=True, description="The bytes of one field a line.")
    field: str = setting(
        "payload",
        advanced=False,
        content=True,
        min_length=1,
        description="Field of the row whose text or bytes become the line.",
    )


class Csv(NamedColumns):
    """Cells of text, one line for each row."""

    type: Literal["csv"] = setting(advanced=False, content=True, description="Cells of text, one line for each row.")
    column_order: list[str] = setting(
        default_factory=list,
        description="Columns that come first, in this order, even if no row has them.",
        advanced=False,
        content=True,
    )
    other_columns: Literal["append", "ignore", "dead_letter"] = setting(
        "append",
        advanced=True,
        content=True,
        description="Fields that are not in column_order. append: sorted columns after them. ignore: left out."
        " dead_letter: the row becomes a dead letter.",
    )
    header: bool = setting(
        True, advanced=False, content=True, description="Begin each object with a line of column names."
    )
    null: str = setting(
        "null",
        advanced=True,
        content=True,
        description="Text of a null value. A missing value is always an empty cell.",
    )
    delimiter: str = setting(
        ",", advanced=True, content=True, pattern=r'^[^"\r\n\[\]]$', description="The character between cells."
    )
    line_end: Literal["lf", "crlf"] = setting("lf", advanced=True, content=True, description="Line break: LF or CR LF.")
    escape_formulas: bool = setting(
        False,
        advanced=True,
        content=True,
        description="Write a single quote before a text that a spreadsheet would run as a formula: one that begins with"
        " =, +, -, @, a tab or a carriage return. Numbers stay as they are.",
    )

    @model_validator(mode="after")
    def _written_or_left_out(self) -> Self:
        twice = sorted({each for each in self.column_order if self.column_order.count(each) > 1})
        if twice:
            raise ValueError(f"column_order: expected each column once, found {', '.join(twice)} more than once")
        both = sorted({*self.column_order} & {*self.left_out})
        if both:
            raise ValueError(f"except: expected fields that are not in column_order, found {', '.join(both)}")
        return self


class AvroInline(ContentSection):
    """Columns from an Avro schema that is written here."""

    type: Literal["avro_inline"] = setting(
        advanced=False, content=True, description="Columns from an Avro schema that is written here."
    )
    definition: str = setting(
        advanced=False,
        content=True,
        syntax="schema",
        alias="def",
        min_length=1,
        description="The Avro record schema as JSON text.",
    )


class AvroRef(ContentSection):
    """Columns from an Avro schema of the section `schemas`."""

    type: Literal["avro_ref"] = setting(
        advanced=False, content=True, description="Columns from an Avro schema of the section `schemas`."
    )
    name: str = setting(
        advanced=False, content=True, min_length=1, description="Name of the schema in the section `schemas`."
    )


class Inferred(ContentSection):
    """Columns from the kinds of values in each object."""

    type: Literal["inferred"] = setting(
        "inferred",
        advanced=False,
        content=True,
        description="Columns from the kinds of values in each object. Numbers are doubles.",
    )


class Parquet(NamedColumns):
    """Typed columns."""

    type: Literal["parquet"] = setting(advanced=False, content=True, description="Typed columns.")
    columns: Annotated[AvroInline | AvroRef | Inferred, Field(discriminator="type")] = setting(
        advanced=False,
        content=True,
        default_factory=Inferred,
        alias="schema",
        description="Source of the columns: an Avro schema, or the rows themselves.",
    )
    default_compression: Literal["snappy", "zstd", "none"] = setting(
        "snappy", advanced=True, content=True, description="Compression of the columns."
    )
    max_row_group_bytes: Bytes = setting(
        128 << 20,
        ge=1 << 20,
        description="Size at which a row group closes, before compression.",
        advanced=True,
        content=True,
    )
    enable_dictionary: bool = setting(
        True, advanced=True, content=True, description="Store repeated values once, in a dictionary of their column."
    )
    data_page_header_version: Literal[1, 2] = setting(
        2, advanced=True, content=True, description="Version of data pages. Use 1 for old readers."
    )
    write_old_list_structure: bool = setting(
        False,
        description="Without effect: lists always have the three levels of the format since 2014.",
        advanced=True,
        content=False,
    )

    @model_validator(mode="after")
    def _declared_or_left_out(self) -> Self:
        if self.left_out and not isinstance(self.columns, Inferred):
            raise ValueError(
                f"except: expected none with a declared schema, which names the columns, found {', '.join(self.left_out)}"
            )
        return self


Container = Annotated[JsonLines | RawLines | Csv | Parquet, Field(discriminator="type")]
