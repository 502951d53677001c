"""Closes the connection of a device, so that the device gets the last answers or at least the connection ends.

A socket that is closed while bytes wait that nobody has read answers with RST. The other side then loses what it has not read
yet, such as acknowledgements, and sends its messages again. So whoever wants the device to have all answers lets the device
close: no more is written, and what it still sends is read and dropped.

Source: RFC 1122 section 4.2.2.13.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

CLOSE_SECONDS: Final = 5.0  # for a device that does not read our last packet
LINGER_SECONDS: Final = 1.0  # for a device that does not close, because it has not seen that we are done


def close(transport: Any, *, lingers: bool) -> asyncio.TimerHandle:
    """Close a transport that is not closing yet. `lingers`: let the device do it. The timer ends it in any case."""
    loop = asyncio.get_running_loop()
    if not lingers:
        transport.close()
        return loop.call_later(CLOSE_SECONDS, transport.abort)
    transport.resume_reading()
    if transport.can_write_eof():
        transport.write_eof()
    return loop.call_later(LINGER_SECONDS, transport.close)
