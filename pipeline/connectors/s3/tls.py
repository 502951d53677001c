"""TLS of the connections to a store: makes an ssl context from a connector's settings."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from pipeline.config.tls import S3Tls
from pipeline.connectors.tls import load, naming

_VERSIONS = {"tlsv1.2": ssl.TLSVersion.TLSv1_2, "tlsv1.3": ssl.TLSVersion.TLSv1_3}
_WHERE = "transport_options.ssl"


class _Context(ssl.SSLContext):
    """A context that can request another name than the host's."""

    name_of: Callable[[str | None], str | None] = staticmethod(lambda host: host)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        name = self.name_of(server_hostname)  # type: ignore[arg-type]
        return super().wrap_bio(incoming, outgoing, server_side, name, session)


def context_of(tls: S3Tls) -> ssl.SSLContext | None:
    """The ssl context, or None without TLS. Raises ConfigError, which names the setting of a bad file."""
    if not tls.enable:
        return None
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    versions = sorted(_VERSIONS[each] for each in tls.versions)
    context.minimum_version, context.maximum_version = versions[0], versions[-1]
    if tls.server_name_indication == "disable":
        context.check_hostname = False
        context.name_of = lambda host: None
    elif tls.server_name_indication:
        context.name_of = lambda host: tls.server_name_indication
    if tls.verify == "verify_none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.ciphers:
        with naming(f"{_WHERE}.ciphers", ":".join(tls.ciphers)):
            context.set_ciphers(":".join(tls.ciphers))
    if tls.partial_chain:
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    load(context, tls, _WHERE)
    return context
