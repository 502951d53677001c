"""The limits of one client or address on a listener: packets a second, connections, memory, checks of passwords."""
