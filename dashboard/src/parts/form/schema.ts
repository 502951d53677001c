// What a form needs to know of a JSON Schema: one kind of input for each setting. Pure.
//
// Our schemas come from the settings' declarations. They use few forms: a setting is one type, or one type or a `${NAME}` from the
// environment, or null; parameters and containers are one of several objects, told apart by one property with a constant.

export type Schema = {
  $ref?: string;
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  format?: string;
  deprecated?: boolean;
  minimum?: number;
  maximum?: number;
  examples?: unknown[];
  $defs?: Record<string, Schema>;
  "x-advanced"?: boolean;
  "x-syntax"?: string;
};

export type Field = {
  name: string;
  help: string;
  placeholder: string;
  initial: unknown; // its default, or undefined
  required: boolean;
  advanced: boolean;
  kind: Kind;
};

export type Kind =
  | { is: "text"; secret: boolean; syntax: string }
  | { is: "number"; minimum: number | null; maximum: number | null }
  | { is: "switch"; on: boolean }
  | { is: "choice"; choices: string[] }
  | { is: "list" }
  | { is: "map" }
  | { is: "object"; fields: Field[] }
  | { is: "objects"; fields: Field[] }
  | { is: "one of"; tag: string; variants: { value: string; help: string; fields: Field[] }[] }
  | { is: "json" };

/** The fields of an object's schema, in the order of its declaration, without those of `hidden` and those that change nothing. */
export function fieldsOf(whole: Schema, schema: Schema, hidden: readonly string[] = []): Field[] {
  const object = resolved(whole, schema);
  const required = new Set(object.required ?? []);
  return Object.entries(object.properties ?? {})
    .filter(([name, each]) => !hidden.includes(name) && !isIdle(resolved(whole, each)))
    .map(([name, each]) => fieldOf(whole, name, each, required.has(name)))
    .filter(({ kind }) => kind.is !== "object" || kind.fields.length > 0)
    .sort((a, b) => Number(b.required) - Number(a.required)); // the order of the declaration, but what is required first
}

/** Whether a value says anything beside the defaults, which the API's answers have too. */
export function isOwn({ kind, initial }: Field, value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== "object") return value !== initial;
  const inner = value as Record<string, unknown>;
  if (kind.is === "object") return kind.fields.some((each) => isOwn(each, inner[each.name]));
  if (kind.is === "one of") {
    const chosen = kind.variants.findIndex((each) => each.value === inner[kind.tag]);
    return chosen > 0 || Boolean(kind.variants[chosen]?.fields.some((each) => isOwn(each, inner[each.name])));
  }
  return Object.keys(value).length > 0 && JSON.stringify(value) !== JSON.stringify(initial);
}

/** The kind of the setting at a path, or undefined: the property that tells objects apart is a choice among them. */
export function kindAt(fields: readonly Field[], [name, ...rest]: readonly string[]): Kind | undefined {
  const kind = fields.find((each) => each.name === name)?.kind;
  if (!rest.length || !kind) return kind;
  if (kind.is === "object") return kindAt(kind.fields, rest);
  if (kind.is !== "one of") return undefined;
  if (rest[0] === kind.tag) return { is: "choice", choices: kind.variants.map((each) => each.value) };
  return kindAt(kind.variants.flatMap((each) => each.fields), rest);
}

/** Settings that are taken for EMQX's sake and have no effect, and older names of others. */
function isIdle(schema: Schema): boolean {
  return schema["x-syntax"] === "emqx" || schema.deprecated === true || /^without effect/i.test(schema.description ?? "");
}

function fieldOf(whole: Schema, name: string, schema: Schema, required: boolean): Field {
  const known = resolved(whole, schema);
  const example = known.default ?? known.examples?.[0];
  return {
    name,
    help: schema.description ?? known.description ?? "",
    placeholder: example === undefined || typeof example === "object" ? "" : String(example),
    initial: known.default,
    required,
    advanced: Boolean(schema["x-advanced"] ?? known["x-advanced"]),
    kind: kindOf(whole, known),
  };
}

function kindOf(whole: Schema, schema: Schema): Kind {
  const choices = alternatives(whole, schema);
  const tagged = taggedBy(choices);
  if (tagged) {
    return {
      is: "one of",
      tag: tagged,
      variants: choices.map((each) => ({
        value: String(constantOf(each.properties?.[tagged])),
        help: each.description ?? "",
        fields: fieldsOf(whole, each, [tagged]),
      })),
    };
  }
  const syntax = schema["x-syntax"] ?? "";
  const one = choices.find((each) => each.enum) ?? choices.find((each) => each.format) ?? choices[0];
  if (!one) return { is: "json" };
  if (one.enum) return { is: "choice", choices: one.enum.map(String) };
  switch (one.type) {
    case "boolean":
      return { is: "switch", on: Boolean(schema.default) };
    case "integer":
    case "number":
      return { is: "number", minimum: one.minimum ?? null, maximum: one.maximum ?? null };
    case "string":
      return { is: "text", secret: one.format === "password", syntax };
    case "array":
      return listOf(whole, alternatives(whole, resolved(whole, one.items ?? {})));
    case "object":
      if (one.properties) return { is: "object", fields: fieldsOf(whole, one) };
      return typeof one.additionalProperties === "object" && one.additionalProperties.type === "string" ? { is: "map" } : { is: "json" };
    default:
      return { is: "json" };
  }
}

function listOf(whole: Schema, items: Schema[]): Kind {
  const [one] = items;
  if (items.length === 1 && one?.properties) return { is: "objects", fields: fieldsOf(whole, one) };
  return items.every((each) => each.type === "string") ? { is: "list" } : { is: "json" };
}

/** The types that a setting can have: nested alternatives flat, without null and without the reference to the environment. */
function alternatives(whole: Schema, schema: Schema): Schema[] {
  const nested = schema.anyOf ?? schema.oneOf;
  if (!nested) return schema.type === "null" ? [] : [schema];
  return nested.filter((each) => each.$ref !== "#/$defs/reference").flatMap((each) => alternatives(whole, resolved(whole, each)));
}

/** The property that has another constant in each of several objects, or "". */
function taggedBy(choices: Schema[]): string {
  if (choices.length < 2 || choices.some((each) => !each.properties)) return "";
  const [first] = choices;
  const names = Object.keys(first?.properties ?? {});
  return names.find((name) => choices.every((each) => constantOf(each.properties?.[name]) !== undefined)) ?? "";
}

function constantOf(schema: Schema | undefined): unknown {
  if (!schema) return undefined;
  if (schema.anyOf) return schema.anyOf.map(constantOf).find((each) => each !== undefined);
  return schema.const ?? (schema.enum?.length === 1 ? schema.enum[0] : undefined);
}

/** The schema with what its `$ref` points at; its own words come first. */
function resolved(whole: Schema, schema: Schema): Schema {
  if (!schema.$ref) return schema;
  const name = schema.$ref.split("/").at(-1) ?? "";
  const { $ref: _, ...own } = schema;
  return { ...resolved(whole, whole.$defs?.[name] ?? {}), ...own };
}
