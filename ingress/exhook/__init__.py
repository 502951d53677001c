"""The gRPC service for EMQX's ExHook, by which EMQX reports publishers and client events itself."""
