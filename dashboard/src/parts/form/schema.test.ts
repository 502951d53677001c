import { describe, expect, it } from "vitest";
import { fieldsOf } from "./schema";

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

  it("begin with what is required, and keep the order otherwise", () => {
    expect(names({ a: { type: "string" }, b: { type: "string" }, c: { type: "string" } }, ["c"])).toEqual(["c", "a", "b"]);
  });
});
