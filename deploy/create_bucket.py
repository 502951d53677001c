"""Create a bucket if it does not exist: `create_bucket.py URL BUCKET`, with the access key of the compose file.

This is a step of docker-compose.yml. Tidegate itself never creates buckets, because their owner should do this.
"""

from __future__ import annotations

import os
import sys

import boto3
from botocore.exceptions import ClientError


def main(url: str, bucket: str) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="tidegate",
        aws_secret_access_key=os.environ["S3_SECRET_KEY"],
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
