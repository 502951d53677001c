import { describe, expect, it } from "vitest";
import { draftOf, EMPTY, joins, meaningOf, type Sink, type Step, withEdge, withNext, without } from "./draft";
import type { Action, Rule } from "../../api/objects";
import { graphOf } from "./graph";
import { partsOf, statementOf } from "./statement";

describe("a statement and its parts", () => {
  it.each([
    ['SELECT * FROM "t/#"', { topics: ["t/#"], fields: [{ expression: "*", name: "" }], condition: "" }],
    [
      "SELECT payload.temp AS t, clientid, concat(a, ',', b) as c FROM \"t/#\", 'u' WHERE t > 20 and x = ' from '",
      {
        topics: ["t/#", "u"],
        fields: [
          { expression: "payload.temp", name: "t" },
          { expression: "clientid", name: "" },
          { expression: "concat(a, ',', b)", name: "c" },
        ],
        condition: "t > 20 and x = ' from '",
      },
    ],
    [
      'SELECT CASE WHEN a > 1 THEN 2 ELSE 3 END AS x, payload.list[1] as y.z FROM "a"',
      {
        topics: ["a"],
        fields: [
          { expression: "CASE WHEN a > 1 THEN 2 ELSE 3 END", name: "x" },
          { expression: "payload.list[1]", name: "y.z" },
        ],
        condition: "",
      },
    ],
  ])("reads %s", (text, parts) => {
    expect(partsOf(text)).toEqual(parts);
    expect(partsOf(statementOf(parts))).toEqual(parts);
  });

  it.each(['FOREACH payload.list FROM "t"', 'SELECT a -- why\nFROM "t"', "SELECT a", 'SELECT (a FROM "t"', 'SELECT a, FROM "t"', 'SELECT a AS FROM "t"', ""])(
    "leaves %s to the editor",
    (text) => {
      expect(partsOf(text)).toBeNull();
    },
  );
});

describe("a draft", () => {
  const rule = { sql: 'SELECT a AS b FROM "x", "y" WHERE a > 1', actions: ["s3:hot", "s3:cold"] };

  it("means the rule that it was made of", () => {
    const draft = draftOf(rule);
    expect(draft?.steps.map(({ id }) => id)).toEqual(["source-0", "source-1", "fields", "filter", "sink-0", "sink-1"]);
    expect(draft && meaningOf(draft)).toEqual({ sql: statementOf(partsOf(rule.sql) ?? never()), actions: rule.actions, lacks: [] });
  });

  it("says what it lacks", () => {
    const draft = draftOf(rule) ?? never();
    expect(meaningOf(without(draft, ["source-0", "source-1"])).lacks).toContainEqual({ what: "source" });
    expect(meaningOf(without(draft, ["filter"])).lacks.map((lack) => [lack.what, "step" in lack && lack.step.id])).toEqual([
      ["after", "fields"],
      ["before", "sink-0"],
      ["before", "sink-1"],
    ]);
  });

  const made = (id: string): Step => ({ ...({ source: { kind: "source", topic: "t/#" }, fields: { kind: "fields", fields: [] }, filter: { kind: "filter", condition: "a" }, sink: { kind: "sink", action: "s3:hot" } }[id.split("-")[0] ?? ""] as Sink), id, x: 0, y: 0 });
  const edges = (...ids: string[]) => ids.map(made).reduce(withNext, EMPTY).edges.map(({ from, to }) => `${from} ${to}`);

  it.each([
    [["source", "fields", "filter", "sink"], ["source fields", "fields filter", "filter sink"]],
    [["sink", "filter", "source", "fields"], ["filter sink", "source fields", "fields filter"]],
    [["source", "sink", "filter"], ["source filter", "filter sink"]],
    [["source-1", "filter", "sink-1", "source-2", "sink-2"], ["source-1 filter", "filter sink-1", "source-2 filter", "filter sink-2"]],
    [["source", "filter-1", "sink", "filter-2"], ["source filter-1", "filter-1 sink"]],
  ])("joins new steps %j in the way of messages", (ids, joined) => {
    expect(edges(...ids).sort()).toEqual(joined.sort());
  });

  it("joins forward only, and never twice", () => {
    const draft = without(draftOf(rule) ?? never(), [], [{ from: "filter", to: "sink-0" }]);
    expect(joins(draft, "filter", "sink-0")).toBe(true);
    expect(joins(draft, "sink-0", "filter")).toBe(false);
    expect(joins(withEdge(draft, { from: "filter", to: "sink-0" }), "filter", "sink-0")).toBe(false);
  });

  it("leaves a rule with one of EMQX's functions to the editor", () => {
    expect(draftOf({ ...rule, actions: [{ function: "console" }] })).toBeNull();
  });
});

describe("the pipeline as a graph", () => {
  it("goes from topics through Kafka, rules and actions to buckets", () => {
    const action = { type: "s3", name: "hot", connector: "lake", parameters: { bucket: "iot" } } as unknown as Action;
    const rule = { id: "r", sql: "", from: ["t/#", "$events/client/connected"], actions: ["s3:hot", "s3:gone"] } as unknown as Rule;
    const { parts, links } = graphOf([rule], [action]);

    expect(parts.map(({ id }) => id).sort()).toEqual(
      ["action/s3:hot", "bucket/iot", "event/$events/client/connected", "log/events", "log/messages", "rule/r", "topic/t/#"].sort(),
    );
    const columns = ["topic/t/#", "log/messages", "rule/r", "action/s3:hot", "bucket/iot"].map((id) => parts.find((each) => each.id === id)?.x ?? -1);
    expect(columns).toEqual([...columns].sort((a, b) => a - b));
    expect(links).toHaveLength(6);
  });
});

function never(): never {
  throw new Error("expected a value");
}
