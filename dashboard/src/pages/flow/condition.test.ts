import { describe, expect, it } from "vitest";
import { comparisonsOf, conditionOf, OPERATORS } from "./condition";

describe("a condition and its comparisons", () => {
  it.each([
    ["qos>=0", "AND", [["qos", ">=", "0"]]],
    ["payload.temp > 30 and topic =~ 't/#' AND note != 'a and b'", "AND", [["payload.temp", ">", "30"], ["topic", "=~", "'t/#'"], ["note", "!=", "'a and b'"]]],
    ["f(a = 1, b) = -1 OR (a or b) <> true", "OR", [["f(a = 1, b)", "=", "-1"], ["(a or b)", "<>", "true"]]],
    ["case when a > 1 then 2 else 3 end < 3", "AND", [["case when a > 1 then 2 else 3 end", "<", "3"]]],
  ])("reads %s", (text, joint, rows) => {
    const found = comparisonsOf(text);

    expect(found?.joint).toBe(joint);
    expect(found?.rows.map(({ left, operator, right }) => [left, operator, right])).toEqual(rows);
    expect(found && comparisonsOf(conditionOf(found))).toEqual(found);
  });

  it.each(["a = 1 and b = 2 or c = 3", "not a = 1", "(a = 1)", "is_null(a)", "a = 1 and", "a < b < c", "a = (1", "a > = 1", "a = 1 -- why"])("leaves %s to its text", (text) => {
    expect(comparisonsOf(text)).toBeNull();
  });

  it("knows each operator, and leaves out what is not whole yet", () => {
    const rows = OPERATORS.map((operator) => ({ left: "a", operator, right: "1" }));

    expect(comparisonsOf(conditionOf({ joint: "OR", rows }))).toEqual({ joint: "OR", rows });
    expect(conditionOf({ joint: "AND", rows: [{ left: "a", operator: "=", right: " " }] })).toBe("");
  });
});
