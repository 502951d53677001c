"""EMQX tells itself who published and who came or went: the gRPC service that EMQX's ExHook calls."""
