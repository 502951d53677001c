// How fast messages come, since the page was opened: of one object the server knows only the present rate.
import { useEffect, useRef, useState } from "react";
import { t } from "../../texts";
import { rate } from "../../words";
import { Chart } from "../chart";

type Sample = { at: number; rate: number };

const STEP_MS = 3_000;
const KEPT = 600; // half an hour

export default function Trend({ now }: { now: number }) {
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
  return (
    <Chart
      title={t.statistics.trend}
      times={samples.map(({ at }) => at)}
      series={[{ name: t.statistics.now, colour: "--blue", values: samples.map((each) => each.rate) }]}
      said={rate}
      least={0.1}
    />
  );
}
