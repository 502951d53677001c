import { describe, expect, it } from "vitest";
import { takes } from "./topic";

describe("a topic filter", () => {
  it.each([
    ["t/#", "t/a/b"],
    ["t/#", "t"],
    ["t/#", "t/+"],
    ["t/+/x", "t/a/x"],
    ["t/+", "t/+"],
    ["#", "t"],
    ["$SYS/#", "$SYS/x"],
  ])("%s takes %s", (filter, topic) => expect(takes(filter, topic)).toBe(true));

  it.each([
    ["t/+", "t"],
    ["t/+", "t/a/b"],
    ["t/+", "t/#"],
    ["t/a", "t/+"],
    ["t", "t/a"],
    ["#", "$SYS/x"],
    ["+/x", "$SYS/x"],
  ])("%s does not take %s", (filter, topic) => expect(takes(filter, topic)).toBe(false));
});
