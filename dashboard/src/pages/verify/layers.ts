// A run of offsets in layers: what became of them, from the bottom of the strip to its top. Pure.
import type { OffsetRun } from "../../api/evidence";
import { t } from "../../texts";

export const LAYERS = ["written", "filtered", "dead_lettered", "absent", "missing"] as const;
export type Layer = (typeof LAYERS)[number];

/** Records that Kafka had deleted are as lost as those that no entry covers. */
function amount(run: OffsetRun, layer: Layer): number {
  return layer === "missing" ? (run.missing ?? 0) + (run.gone ?? 0) : (run[layer] ?? 0);
}

const LEAST = 0.12; // of the height: what is bad or rare is seen, however little of it there is

/** The layers of a run with their share of the height, from 0 (top) to 1 (bottom). */
export function placed(run: OffsetRun): { layer: Layer; from: number; to: number }[] {
  const all = run.next - run.first;
  const there = LAYERS.filter((layer) => amount(run, layer) > 0);
  const shares = there.map((layer) => {
    const share = amount(run, layer) / all;
    return layer === "missing" || layer === "dead_lettered" ? Math.max(LEAST, share) : share;
  });
  const sum = shares.reduce((total, each) => total + each, 0);
  let bottom = 1;
  return there.map((layer, n) => {
    const to = bottom;
    bottom = n === there.length - 1 ? 0 : bottom - (shares[n] ?? 0) / sum;
    return { layer, from: bottom, to };
  });
}

/** A run in one sentence. */
export function describe(run: OffsetRun): string {
  const said = [t.verify.offsets(run.first, run.next)];
  if (run.rows) said.push(t.verify.rowsIn(run.rows, run.objects ?? 0));
  for (const [name, say] of Object.entries(t.verify.parts)) {
    const n = run[name as keyof typeof t.verify.parts];
    if (n) said.push(say(n));
  }
  if ((run.entries ?? 0) > 1) said.push(t.verify.entries(run.entries ?? 0));
  return said.join(" · ");
}
