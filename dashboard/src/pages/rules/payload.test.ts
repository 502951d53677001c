import { expect, test } from "vitest";
import { showing } from "./payload";

test("a payload is shown as it is, byte by byte, or not at all", () => {
  const text = { clientid: "c", payload: "é{" };

  expect(showing(text, "text")).toBe(text);
  expect(showing(text, "hex")).toEqual({ clientid: "c", payload: "c3 a9 7b" });
  expect(showing({ payload: { $b64: "AP8=" } }, "hex")).toEqual({ payload: "00 ff" });
  expect(showing(text, "hidden")).toEqual({ clientid: "c", payload: "******" });
});

test("bytes that are a text are shown as one", () => {
  expect(showing({ payload: { $b64: "eyJuIjogMX0=" } }, "text")).toEqual({ payload: '{"n": 1}' });
  expect(showing({ payload: { $b64: "AP8=" } }, "text")).toEqual({ payload: { $b64: "AP8=" } });
});

test("what is no payload stays", () => {
  expect(showing({ clientid: "c" }, "hidden")).toEqual({ clientid: "c" });
  expect(showing({ payload: 7 }, "hex")).toEqual({ payload: 7 });
});
