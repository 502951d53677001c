"""Settings that every source has, whatever its type."""

from pipeline.config.base.section import Section, setting


class SourceSection(Section):
    """What messages or events come from."""

    enable: bool = setting(True, advanced=False, description="Whether the source runs.")
    description: str = setting(
        "", advanced=False, syntax="prose", description="Description for people, without effect."
    )
