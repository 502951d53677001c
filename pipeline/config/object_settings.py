"""What an action says of the objects it writes, besides their key and content. Field names are EMQX's where it has them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from pipeline.config.base.section import ContentSection, setting

Acl = Literal[
    "private",
    "public_read",
    "public_read_write",
    "authenticated_read",
    "bucket_owner_read",
    "bucket_owner_full_control",
]


class ObjectSettings(ContentSection):
    """Sent with the PUT of an object, or with the start of its upload in parts."""

    acl: Acl | None = setting(
        None, advanced=True, content=False, description="Canned ACL of the objects and of the ledger."
    )
    content_type: str | None = setting(
        None, advanced=True, content=False, description="Content type; default: the container's, none in direct mode."
    )
    headers: dict[str, str] = setting(
        advanced=True,
        content=False,
        private=True,
        default_factory=dict,
        description="Headers of each PUT, such as Cache-Control.",
    )
    metadata: dict[str, str] = setting(
        default_factory=dict,
        description="User metadata, without the x-amz-meta- prefix; templates in direct mode.",
        advanced=True,
        content=False,
        syntax="template",
    )
    tags: dict[str, str] = setting(
        default_factory=dict,
        description="Object tags, ten at most; templates in direct mode.",
        advanced=True,
        content=False,
        syntax="template",
    )
    storage_class: str | None = setting(
        None,
        pattern="^[A-Z0-9_]+$",
        description="Storage class, such as STANDARD_IA; the ledger keeps the bucket's.",
        advanced=True,
        content=False,
    )
    server_side_encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = setting(
        None,
        description="Encryption by the store, of objects and ledger; default: the bucket's.",
        advanced=True,
        content=False,
    )
    sse_kms_key_id: str | None = setting(
        None,
        description="KMS key, with aws:kms; default: the bucket's or the account's.",
        advanced=True,
        content=False,
    )
    bucket_key_enabled: bool | None = setting(
        None, advanced=True, content=False, description="S3 bucket key, which saves requests to KMS."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.sse_kms_key_id and not (self.server_side_encryption or "").startswith("aws:kms"):
            raise ValueError(
                "sse_kms_key_id: expected server_side_encryption aws:kms or aws:kms:dsse with it, "
                f"found {self.server_side_encryption!r}"
            )
        if len(self.tags) > 10:
            raise ValueError(f"tags: S3 takes ten of an object at most, found {len(self.tags)}")
        return self
