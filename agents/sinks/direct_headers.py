"""The headers of one row's object: metadata and tags may be templates, the rest is the same for all rows of an action."""

from __future__ import annotations

from pipeline.config import DirectParameters
from pipeline.connectors.s3.headers import metadata_headers, metadata_text, plain_headers, tagging
from pipeline.errors import RenderError
from pipeline.sql import Row
from pipeline.template import Template


class RowHeaders:
    """Compiled once per action. Raises ValueError or TemplateSyntaxError for settings that cannot be used."""

    def __init__(self, parameters: DirectParameters) -> None:
        self._fixed = plain_headers(parameters)
        names = metadata_headers(dict.fromkeys(parameters.metadata, ""))
        tagging(dict.fromkeys(parameters.tags, ""))  # for its checks of the names
        missing = parameters.missing
        self._metadata = [
            (header, Template(text, missing=missing))
            for header, text in zip(names, parameters.metadata.values(), strict=True)
        ]
        self._tags = [(name, Template(text, missing=missing)) for name, text in parameters.tags.items()]

    def render(self, row: Row) -> dict[str, str]:
        """The headers of a row's object; not to be changed. Raises RenderError."""
        if not self._metadata and not self._tags:
            return self._fixed
        headers = dict(self._fixed)
        for header, template in self._metadata:
            headers[header] = metadata_text(template.render_text(row))
        if self._tags:
            try:
                headers["x-amz-tagging"] = tagging({name: template.render_text(row) for name, template in self._tags})
            except ValueError as error:
                raise RenderError(str(error)) from None
        return headers
