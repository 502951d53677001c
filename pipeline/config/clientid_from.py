"""Settings of how a message tells who published it, when the connection that it came by does not."""

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from pipeline.config.base.section import Section, setting


def _with_clientid(value: str) -> str:
    if "{clientid}" not in value.split("/"):
        raise ValueError("expected {clientid} as one whole level of the topic template")
    return value


TopicTemplate = Annotated[str, AfterValidator(_with_clientid)]


class ClientidFrom(Section):
    """One way to find the clientid of a message's publisher. Exactly one field is set."""

    user_property: str | None = setting(
        None, advanced=False, description="Name of an MQTT 5 user property that the broker sets."
    )
    topic: TopicTemplate | None = setting(
        None, advanced=False, description="Topic template with {clientid} as one level, such as t/{clientid}/up."
    )
    payload: str | None = setting(
        None,
        description="Dotted path of a field in a JSON payload. A device can claim any clientid.",
        advanced=False,
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("user_property", "topic", "payload") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of user_property, topic, payload; found {given or 'none'}")
        return self
