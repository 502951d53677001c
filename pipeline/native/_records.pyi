def unpack(
    section: bytes | memoryview,
    begin: int,
    count: int,
    base_offset: int,
    base_timestamp: int,
    appended: bool,
    next_offset: int,
    records_max: int,
    bytes_max: int,
    columns: tuple[list[int], list[int], list[bytes | None], list[bytes | None], list[object]],
    known: dict[bytes, object],
    /,
) -> tuple[int, int, int]: ...
