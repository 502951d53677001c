import { expect, test } from "vitest";
import { describe, placed } from "./layers";

test("the layers of a run fill its height, and one record that is missing among a million is seen", () => {
  const layers = placed({ first: 0, next: 1_000_000, written: 999_999, missing: 1 });

  expect(layers.map(({ layer }) => layer)).toEqual(["written", "missing"]);
  expect(layers[0]?.to).toBe(1);
  expect(layers.at(-1)?.from).toBe(0);
  expect(layers[1] && layers[1].to - layers[1].from).toBeGreaterThan(0.1);
});

test("a run says its offsets, its rows, and all that is not a row", () => {
  const said = describe({ first: 36, next: 58, written: 10, filtered: 11, gone: 1, rows: 10, objects: 1, entries: 2 });

  expect(said).toBe("offsets 36 to 57 · 10 rows in 1 object · 11 filtered · 1 record lost: Kafka had deleted them · 2 cuts");
});
