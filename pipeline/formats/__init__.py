"""Containers: how the rows of a chunk become the bytes of an object.

    container.py     what a container is, and the table of all      lines.py      JSON Lines and raw lines
    compression.py   gzip and zstd around the text containers       csv.py        CSV
    columns.py       columns that an Avro schema declares           parquet.py    Parquet: declared or inferred columns

A container makes the line in which a chunk holds a row, and an object of a chunk's lines. The digest of the rows is over these
lines, so it depends neither on the compression nor on a library that writes files. Whatever cannot become part of an object is
refused when its line is made, because then it is one record's error; once a chunk is closed, encoding cannot fail.
The same rows and settings give the same bytes, always: no clock, no chance, no order of a dictionary.
"""

from pipeline.formats.container import Container, make, read_rows, row_texts

__all__ = ["Container", "make", "read_rows", "row_texts"]
