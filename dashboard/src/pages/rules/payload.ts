// How payloads are shown: as text, in hexadecimal, or not at all. Pure.
import type { Value } from "../../parts/form/value";

export type Showing = "text" | "hex" | "hidden";

/** The fields with their payload shown so. The API gives bytes as {"$b64": …}, also where they are a text. */
export function showing(fields: Value, how: Showing): Value {
  if (!("payload" in fields)) return fields;
  const bytes = bytesOf(fields.payload);
  if (how === "text") return typeof fields.payload === "string" || !bytes ? fields : { ...fields, payload: textOf(bytes) ?? fields.payload };
  if (how === "hidden") return { ...fields, payload: "******" };
  return bytes ? { ...fields, payload: [...bytes].map((each) => each.toString(16).padStart(2, "0")).join(" ") } : fields;
}

function bytesOf(payload: unknown): Uint8Array | null {
  if (typeof payload === "string") return new TextEncoder().encode(payload);
  const packed = (payload as { $b64?: unknown } | null)?.$b64;
  return typeof packed === "string" ? Uint8Array.from(atob(packed), (each) => each.charCodeAt(0)) : null;
}

/** What the bytes say, or null if they are not UTF-8. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
