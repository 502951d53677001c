// The value of a form: the object as the API takes it. A setting that the user has not given is absent, so that its default stays
// the server's. Pure.

export type Value = Record<string, unknown>;

export function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (!found || typeof found !== "object") return undefined;
    found = (found as Value)[name];
  }
  return found;
}

/** The object with another value at a path; `undefined` takes the setting away, and objects that are empty then with it. */
export function withAt(value: Value, path: readonly string[], now: unknown): Value {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  const inner = value[name];
  const object = inner && typeof inner === "object" && !Array.isArray(inner) ? (inner as Value) : {};
  const changed = rest.length ? withAt(object, rest, now) : now;
  const { [name]: _, ...others } = value;
  const empty = changed === undefined || (rest.length > 0 && now === undefined && Object.keys(changed as Value).length === 0);
  return empty ? others : { ...value, [name]: changed };
}

/** What the text in the input of a number means: a number, or a reference such as `${S3_PORT}`, which the server resolves. */
export function numberOf(text: string): number | string | undefined {
  const trimmed = text.trim();
  if (!trimmed) return undefined;
  return /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : trimmed;
}

/** A JSON text of the value, the same for equal values: names in order. */
export function stable(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    each && typeof each === "object" && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
