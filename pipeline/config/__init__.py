"""The model of the configuration, and how a file becomes a model. Entry points: `load_file` and `Config`."""

from pipeline.config.kafka import KafkaConfig
from pipeline.config.load import load_file, parse
from pipeline.config.model import Config, Rule
from pipeline.config.s3 import AggregatedParameters, DirectParameters, S3Action, S3Connector
from pipeline.config.sources import MqttSource

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
