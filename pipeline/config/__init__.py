"""The one configuration model and how a file becomes one. Entry points: `load_file` and `Config`."""

from pipeline.config.load import load_file, parse
from pipeline.config.model import (
    AggregatedParameters,
    Config,
    DirectParameters,
    KafkaConfig,
    MqttSource,
    Rule,
    S3Action,
    S3Connector,
)

__all__ = [
    "AggregatedParameters",
    "Config",
    "DirectParameters",
    "KafkaConfig",
    "MqttSource",
    "Rule",
    "S3Action",
    "S3Connector",
    "load_file",
    "parse",
]
