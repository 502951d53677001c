// How fast messages come: the last hour as the server knows it, in steps, and from there on what is seen while the page is open. Of one
// process the server knows only the present.
import { useEffect, useRef, useState } from "react";
import { useLastHour } from "../../api/metrics";
import type { Family } from "../../api/objects";
import { t } from "../../texts";
import { rate } from "../../words";
import { Chart } from "../chart";

type Sample = { at: number; rate: number };
type Props = { family: Family; id: string; node?: string; now: number };

const STEP_MS = 3_000;
const KEPT = 600; // half an hour

export default function Trend({ family, id, node = "", now }: Props) {
  const { data: steps = [] } = useLastHour(family, id);
  const seen = useSeen(now);
  const known = node ? [] : steps.map((each) => ({ at: each.time_stamp, rate: each.rate }));
  const samples = [...known, ...seen.filter(({ at }) => at > (known.at(-1)?.at ?? 0))];
  return (
    <Chart
      title={t.statistics.trend}
      times={samples.map(({ at }) => at)}
      series={[{ name: t.statistics.now, colour: "--blue", values: samples.map((each) => each.rate) }]}
      said={rate}
      highest
      least={0.1}
    />
  );
}

/** The rates since the page was opened. */
function useSeen(now: number): readonly Sample[] {
  const latest = useRef(now);
  latest.current = now;
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  useEffect(() => {
    const take = () => {
      if (!document.hidden) setSamples((all) => [...all.slice(1 - KEPT), { at: Date.now(), rate: latest.current }]);
    };
    take();
    const timer = setInterval(take, STEP_MS);
    return () => clearInterval(timer);
  }, []);
  return samples;
}
