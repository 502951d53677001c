// What each kind of store needs, as docs/stores.md says it.
import type { Value } from "../../parts/form/value";

const PLAIN = { ssl: { enable: false } };

export const PRESETS: { name: string; settings: Value }[] = [
  { name: "Amazon S3", settings: { host: "s3.eu-central-1.amazonaws.com", port: 443, region: "eu-central-1", access_method: "vhost", transport_options: undefined } },
  { name: "MinIO", settings: { host: "127.0.0.1", port: 9000, region: "us-east-1", access_method: "path", transport_options: PLAIN } },
  { name: "versitygw", settings: { host: "127.0.0.1", port: 7070, region: "us-east-1", access_method: "path", transport_options: PLAIN } },
  { name: "Google Cloud Storage", settings: { host: "storage.googleapis.com", port: 443, region: "auto", access_method: "path", transport_options: undefined } },
  { name: "Cloudflare R2", settings: { host: "ACCOUNT.r2.cloudflarestorage.com", port: 443, region: "auto", access_method: "path", transport_options: undefined } },
];
