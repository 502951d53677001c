"""Create a bucket if it does not exist: `create_bucket.py URL BUCKET`, with the access key and the secret of the compose file.

This is a step of docker-compose.yml. Tidegate itself never creates buckets, because their owner should do this.
"""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

SECRET = Path("/run/secrets/s3")


def main(url: str, bucket: str) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="tidegate",
        aws_secret_access_key=SECRET.read_text(encoding="utf-8").strip(),
        region_name="us-east-1",
    )
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise
    print(f"bucket {bucket} is there")


if __name__ == "__main__":
    main(*sys.argv[1:])
