// The label of a setting in a form, from its name in YAML: `access_key_id` is "Access Key ID". So the page, the manual and a file say
// the same, and a new setting has a label without a line here.

/** Words that are not written as others are. */
const WORDS: Record<string, string> = {
  acl: "ACL",
  ca: "CA",
  cacertfile: "CA Certificate File",
  certfile: "Certificate File",
  clientid: "Client ID",
  comp: "Compatibility",
  exhook: "ExHook",
  http: "HTTP",
  id: "ID",
  ipv6: "IPv6",
  keepalive: "Keep Alive",
  keyfile: "Key File",
  kms: "KMS",
  mqtt: "MQTT",
  of: "of",
  opts: "Options",
  pem: "PEM",
  per: "per",
  qos: "QoS",
  s3: "S3",
  sql: "SQL",
  sse: "SSE",
  ssl: "SSL",
  tcp: "TCP",
  tls: "TLS",
  ttl: "TTL",
  uri: "URI",
  url: "URL",
};

export function labelOf(name: string): string {
  return name
    .split("_")
    .map((word) => WORDS[word] ?? word.charAt(0).toUpperCase() + word.slice(1))
    .join(" ");
}

/** Whether a person who knows the label still has to be told the name. */
export function differs(name: string): boolean {
  return labelOf(name).toLowerCase() !== name;
}
