"""Settings of an action's objects besides their key and content. Field names are EMQX's if EMQX has the field."""

from typing import Literal, Self

from pydantic import model_validator

from pipeline.config.base.secrets import Secret
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
    """Sent with the PUT of an object, or at the start of its upload in parts."""

    acl: Acl | None = setting(
        None, advanced=True, content=False, description="Canned ACL of the objects and of the ledger."
    )
    content_type: str | None = setting(
        None,
        advanced=True,
        content=False,
        description="Content type. Default: that of the container; in direct mode none.",
    )
    headers: dict[str, Secret] = setting(
        advanced=True,
        content=False,
        private=True,
        default_factory=dict,
        description="Headers of each PUT, such as Cache-Control. Values: text, ${NAME} or file:///path.",
    )
    metadata: dict[str, str] = setting(
        default_factory=dict,
        description="User metadata, without the prefix x-amz-meta-. Values are templates in direct mode.",
        advanced=True,
        content=False,
        syntax="template",
    )
    tags: dict[str, str] = setting(
        default_factory=dict,
        description="Object tags, ten at most. Values are templates in direct mode.",
        advanced=True,
        content=False,
        syntax="template",
    )
    storage_class: str | None = setting(
        None,
        pattern="^[A-Z0-9_]+$",
        description="Storage class, such as STANDARD_IA. The ledger keeps the default class of its bucket.",
        advanced=True,
        content=False,
    )
    server_side_encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = setting(
        None,
        description="Encryption of objects and ledger by the store. Default: that of the bucket.",
        advanced=True,
        content=False,
    )
    sse_kms_key_id: str | None = setting(
        None,
        description="KMS key for aws:kms. Default: that of the bucket or the account.",
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
            raise ValueError(f"tags: expected at most ten, since S3 allows no more, found {len(self.tags)}")
        return self
