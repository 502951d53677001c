"""How much of a listener one client, or one address, may take: packets a second, connections, memory, checks of passwords."""
