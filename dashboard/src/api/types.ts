// The answers of the API by their names in its document.
import type { components } from "./schema";

export type Answer = components["schemas"];
