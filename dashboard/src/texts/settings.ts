// The label of a setting in a form, from its name in YAML: `access_key_id` is "Access Key ID". So the page, the manual and a file say
// the same, and a new setting has a label without a line here.

/** Words that are not written as others are. */
const WORDS: Record<string, string> = {
  acl: "ACL",
  ca: "CA",
  cacertfile: "CA Certificate File",
  certfile: "Certificate File",
  clientid: "Client ID",
  avro: "Avro",
  comp: "Compatibility",
  exhook: "ExHook",
  csv: "CSV",
  crlf: "CRLF",
  http: "HTTP",
  id: "ID",
  ipv6: "IPv6",
  keepalive: "Keep Alive",
  keyfile: "Key File",
  json: "JSON",
  kms: "KMS",
  lf: "LF",
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

/** One of the values that a setting can have, in words: `json_lines` is "JSON Lines". What has no letters to spell stays as it is. */
export function choiceOf(value: string): string {
  return /^[a-z0-9]+(_[a-z0-9]+)*$/.test(value) ? labelOf(value) : value;
}

/** Where a setting is in a form: `parameters.max_records` is "Parameters › Max Records". */
export function placeOf(path: string): string {
  return path.split(".").map(labelOf).join(" › ");
}

/** Whether a person who knows the label still has to be told the name. */
export function differs(name: string): boolean {
  return labelOf(name).toLowerCase() !== name;
}
