"""The schemas of these types, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from pipeline.web.evidence.shapes.jobs import (
    NewRedriveJob,
    NewReplayJob,
    NewVerifyJob,
    RedriveJob,
    ReplayJob,
    VerifyJob,
)
from pipeline.web.evidence.shapes.letters import Letters, WholeLetter
from pipeline.web.evidence.shapes.objects import LedgerPage, ObjectDetails, ObjectPage, ObjectPreview

_NAMED: Final[dict[str, Any]] = {
    "LedgerPage": LedgerPage,
    "ObjectPage": ObjectPage,
    "ObjectDetails": ObjectDetails,
    "ObjectPreview": ObjectPreview,
    "Letters": Letters,
    "WholeLetter": WholeLetter,
    "Job": Annotated[VerifyJob | ReplayJob | RedriveJob, Discriminator("kind")],
    "NewJob": Annotated[NewVerifyJob | NewReplayJob | NewRedriveJob, Discriminator("kind")],
}


class _Untitled(GenerateJsonSchema):
    """A title that repeats the name of a field says nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas(ref_template: str) -> dict[str, Any]:
    """The schemas of all these types, by name, for a document with references of this form."""
    mode: Literal["serialization"] = "serialization"
    named = [(name, mode, TypeAdapter(each)) for name, each in _NAMED.items()]
    found, whole = TypeAdapter.json_schemas(named, schema_generator=_Untitled, ref_template=ref_template)
    unions = {name: schema for (name, _), schema in found.items() if "$ref" not in schema}
    return {**whole["$defs"], **unions}
