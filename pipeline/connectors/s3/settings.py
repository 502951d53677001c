"""Values for requests from the settings of an S3 connector."""

from __future__ import annotations

from pipeline.config import S3Connector


def region_of(config: S3Connector) -> str:
    """The configured region, else the region in an AWS host name, else us-east-1."""
    if config.region:
        return config.region
    labels = config.host.split(".")
    if "amazonaws" in labels and len(labels) >= 4 and labels[-1] in {"com", "cn"}:
        return labels[labels.index("amazonaws") - 1]
    return "us-east-1"
