"""Containers make the bytes of an object from the rows of a chunk.

    container.py     the type of containers, and the table of all      lines.py      JSON Lines and raw lines
    compression.py   gzip and zstd for the text containers       csv.py        CSV
    columns.py       columns that an Avro schema declares           parquet.py    Parquet: declared or inferred columns

A container makes a line from each row for the chunk, and an object from the lines of a chunk. The digest of the rows
covers these lines, so it depends neither on the compression nor on a library that writes files. A row that cannot
become part of an object is refused when its line is made, because then the error belongs to one record. After a chunk
is closed, encoding cannot fail. The same rows and settings always give the same bytes: a container uses no clock, no
random numbers and no dictionary order.
"""

from pipeline.formats.container import Container, make, read_rows, row_texts

__all__ = ["Container", "make", "read_rows", "row_texts"]
