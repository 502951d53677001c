import { describe, expect, it } from "vitest";
import { fieldsOf, isOwn, kindAt } from "./schema";

const whole = {
  $defs: { Idle: { type: "object", properties: { pool: { type: "integer", description: "Without effect: each has its own." } } } },
};
const names = (properties: Parameters<typeof fieldsOf>[1]["properties"], required: string[] = []) =>
  fieldsOf(whole, { type: "object", properties: properties ?? {}, required }).map(({ name }) => name);

describe("the fields of a form", () => {
  it("leave out what has no effect, and what is only an older name", () => {
    const properties = {
      host: { type: "string" },
      ttl: { type: "string", description: "Without effect: a row never expires." },
      old: { type: "string", deprecated: true },
      emqx: { type: "array", "x-syntax": "emqx" },
    };

    expect(names(properties)).toEqual(["host"]);
  });

  it("leave out an object of which nothing is left", () => {
    expect(names({ host: { type: "string" }, idle: { $ref: "#/$defs/Idle" } })).toEqual(["host"]);
  });

  it("are several forms for a list of objects, and lines for a list of texts", () => {
    const ways = { type: "array", items: { type: "object", properties: { topic: { type: "string" }, payload: { type: "string" } } } };
    const fields = fieldsOf(whole, { type: "object", properties: { ways, topics: { type: "array", items: { type: "string" } }, pairs: { type: "array", items: { type: "array" } } } });

    expect(fields.map(({ kind }) => kind.is)).toEqual(["objects", "list", "json"]);
  });

  it("begin with what is required, and keep the order otherwise", () => {
    expect(names({ a: { type: "string" }, b: { type: "string" }, c: { type: "string" } }, ["c"])).toEqual(["c", "a", "b"]);
  });
});

describe("a value of a form", () => {
  const fields = fieldsOf(whole, {
    type: "object",
    properties: {
      host: { type: "string" },
      port: { type: "integer", default: 443 },
      tags: { type: "object", additionalProperties: { type: "string" } },
      ssl: { type: "object", properties: { enable: { type: "boolean", default: true } } },
      upload: {
        oneOf: ["many", "one"].map((mode) => ({ type: "object", properties: { mode: { const: mode }, [`of_${mode}`]: { type: "string", enum: ["a", "b"], default: "a" } } })),
      },
    },
  });
  const own = (value: Record<string, unknown>) => fields.filter((each) => isOwn(each, value[each.name])).map(({ name }) => name);

  it("is nobody's own as long as it is the default", () => {
    expect(own({ port: 443, tags: {}, ssl: { enable: true }, upload: { mode: "many", of_many: "a" } })).toEqual([]);
    expect(own({ host: "h", port: 80, tags: { a: "b" }, ssl: { enable: false }, upload: { mode: "one" } })).toEqual(["host", "port", "tags", "ssl", "upload"]);
    expect(own({ upload: { mode: "many", of_many: "b" } })).toEqual(["upload"]);
  });

  it("has a kind at its path", () => {
    expect(kindAt(fields, ["ssl", "enable"])?.is).toBe("switch");
    expect(kindAt(fields, ["upload", "mode"])).toEqual({ is: "choice", choices: ["many", "one"] });
    expect(kindAt(fields, ["upload", "of_one"])?.is).toBe("choice");
    expect(kindAt(fields, ["nowhere", "at", "all"])).toBeUndefined();
  });
});
