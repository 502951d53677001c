// A chart of a few series over time. It is drawn on a canvas, so its newest and largest values stand beside it in words too.
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { t } from "../texts";
import { useTheme } from "../theme";
import { clock, clockExact, short } from "../words";

/** `colour`: a variable of style.css. A value is null when there was nothing to measure. */
export type Series = { name: string; colour: string; values: readonly (number | null)[] };

type Props = {
  title: string;
  times: readonly number[];
  series: readonly Series[];
  said?: (value: number) => string;
  highest?: boolean; // whether the highest value stands there too
  least?: number; // the smallest step of the scale: nobody waits for half a record
};

const HEIGHT_PX = 150;
const MINUTE_S = 60;
const STEPS_S = [1, 2, 5, 10, 30, MINUTE_S, 120, 300, 600, 1_800, 3_600, 7_200]; // between two times that are written

export function Chart({ title, times, series, said = short, highest = false, least = 1 }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const theme = useTheme();
  const names = series.map(({ name }) => name).join(" ");
  useEffect(() => {
    const place = frame.current;
    if (!place) return;
    const drawn = new uPlot(options(place, series, said, least), [[], ...series.map(() => [])] as uPlot.AlignedData, place);
    chart.current = drawn;
    const watch = new ResizeObserver(() => drawn.setSize({ width: place.clientWidth, height: HEIGHT_PX }));
    watch.observe(place);
    return () => {
      watch.disconnect();
      drawn.destroy();
      chart.current = null;
    };
  }, [theme, names]);
  useEffect(() => chart.current?.setData([times.map((each) => each / 1000), ...series.map(({ values }) => [...values])]), [times, theme, names]);
  return (
    <figure className="card chart">
      <figcaption>
        <h2>{title}</h2>
        {series.map(({ name, colour, values }) => (
          <span key={name}>
            <i style={{ background: `var(${colour})` }} /> {name} <b className="number">{latest(values, said)}</b>
          </span>
        ))}
        {highest && (
          <span>
            {t.highest} <b className="number">{said(Math.max(0, ...series.flatMap(({ values }) => values.map((each) => each ?? 0))))}</b>
          </span>
        )}
      </figcaption>
      <div style={{ height: HEIGHT_PX }}>
        {times.length < 2 && <p className="dim">{t.waitsForSamples}</p>}
        <div ref={frame} hidden={times.length < 2} aria-hidden />
      </div>
    </figure>
  );
}

function latest(values: Series["values"], said: (value: number) => string): string {
  const last = values.at(-1);
  return last === null ? "–" : said(last ?? 0);
}

function options(place: HTMLElement, series: readonly Series[], said: (value: number) => string, least: number): uPlot.Options {
  const [line, dim] = [resolved(place, "--line"), resolved(place, "--dim")];
  const axis = { stroke: dim, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return {
    width: place.clientWidth,
    height: HEIGHT_PX,
    padding: [8, 26, null, null], // half of a time fits beside the last line
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [
      { ...axis, values: (_, splits, __, ___, step) => splits.map((each) => (step < MINUTE_S ? clockExact : clock)(each * 1000)), incrs: STEPS_S, space: 84, size: 26 },
      { ...axis, values: (_, splits) => splits.map(said), incrs: steps(least), size: 58, space: 34 },
    ],
    series: [
      {},
      ...series.map(({ colour }) => ({ stroke: resolved(place, colour), width: 1.5, fill: resolved(place, colour, "12%"), points: { filter: alone } })),
    ],
  };
}

/** The values that no line shows, because there is none on either side: each gets a point. */
function alone(chart: uPlot, of: number): number[] {
  const values = chart.data[of] ?? [];
  const isNone = (at: number) => (values[at] ?? null) === null;
  return Array.from(values.keys()).filter((at) => !isNone(at) && isNone(at - 1) && isNone(at + 1));
}

/** 1, 2, 5, 10 and so on, from the least. */
function steps(least: number): number[] {
  return Array.from({ length: 42 }, (_, n) => least * ([1, 2, 5][n % 3] ?? 1) * 10 ** Math.floor(n / 3));
}

/** The present value of a variable: a canvas knows none of them. */
function resolved(place: HTMLElement, variable: string, share = "100%"): string {
  const before = place.style.color;
  place.style.color = `color-mix(in srgb, var(${variable}) ${share}, transparent)`;
  const { color } = getComputedStyle(place);
  place.style.color = before;
  return color;
}
