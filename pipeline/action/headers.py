"""The headers of objects, from an action's settings: type, ACL, metadata, tags, class, encryption.

All objects of aggregated upload have the same headers. In direct upload, metadata and tags are templates, rendered for
each row.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config import DirectParameters
from pipeline.config.base.object_settings import ObjectSettings
from pipeline.config.base.secrets import texts_of
from pipeline.errors import RenderError
from pipeline.sql import Row
from pipeline.template import Template
from pipeline.upload.headers import checked, metadata_headers, metadata_text, tagging


def headers_of(settings: ObjectSettings, defaults: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers of each object. Configured headers replace `defaults`. Metadata and tags are not rendered.

    Raises ValueError for headers that would break the request or that S3 cannot accept.
    """
    found = {**(defaults or {}), **plain_headers(settings)}
    found |= metadata_headers(settings.metadata)
    if settings.tags:
        found["x-amz-tagging"] = tagging(settings.tags)
    return found


def plain_headers(settings: ObjectSettings) -> dict[str, str]:
    """All headers except metadata and tags."""
    found = {}
    if settings.content_type:
        found["content-type"] = settings.content_type
    found |= checked(texts_of(settings.headers))
    if settings.storage_class:
        found["x-amz-storage-class"] = settings.storage_class
    return found | ledger_headers(settings)


def ledger_headers(settings: ObjectSettings) -> dict[str, str]:
    """The headers of the ledger's objects: ACL and encryption, because a bucket policy may require them for every object."""
    found = {}
    if settings.acl:
        found["x-amz-acl"] = settings.acl.replace("_", "-")
    encryption = "x-amz-server-side-encryption"
    if settings.server_side_encryption:
        found[encryption] = settings.server_side_encryption
    if settings.sse_kms_key_id:
        found[f"{encryption}-aws-kms-key-id"] = settings.sse_kms_key_id
    if settings.bucket_key_enabled is not None:
        found[f"{encryption}-bucket-key-enabled"] = str(settings.bucket_key_enabled).lower()
    return checked(found)


class RowHeaders:
    """The headers of direct upload, compiled once for an action. Raises ValueError or TemplateSyntaxError for bad settings."""

    def __init__(self, parameters: DirectParameters) -> None:
        self.fixed = plain_headers(parameters)  # those that every object has alike
        missing = parameters.missing
        metadata = {name: Template(text, missing=missing) for name, text in parameters.metadata.items()}
        names = metadata_headers({name: "".join(template.literals or ()) for name, template in metadata.items()})
        tagging(dict.fromkeys(parameters.tags, ""))  # only for its checks of the names
        self._metadata = list(zip(names, metadata.values(), strict=True))
        self._tags = [(name, Template(text, missing=missing)) for name, text in parameters.tags.items()]
        templates = [template for _, template in (*self._metadata, *self._tags)]
        self.of_rows = any(template.names is None or template.names for template in templates)

    def render(self, row: Row) -> dict[str, str]:
        """The headers of a row's object. Callers must not change them. Raises RenderError."""
        if not self._metadata and not self._tags:
            return self.fixed
        headers = dict(self.fixed)
        for header, template in self._metadata:
            headers[header] = metadata_text(template.render_text(row))
        if self._tags:
            try:
                headers["x-amz-tagging"] = tagging({name: template.render_text(row) for name, template in self._tags})
            except ValueError as error:
                raise RenderError(str(error)) from None
        return headers
