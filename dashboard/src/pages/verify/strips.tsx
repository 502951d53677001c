// The picture of a proof: one strip a partition, all on one scale, each offset with what became of it.
import { useEffect, useRef, useState } from "react";
import type { OffsetRun, Strip } from "../../api/evidence";
import { t } from "../../texts";
import { describe, LAYERS, type Layer, placed } from "./layers";
import { useColours, useWidth } from "./measured";

type Pointed = { strip: number; run: number } | null;

const FEW = 8; // partitions that have room for tall strips
const DENSE = 24;
const BAD_PX = 3;
const BAD_HEIGHT_PX = 14;

export function Strips({ strips }: { strips: readonly Strip[] }) {
  const [pointed, point] = useState<Pointed>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [colours, legend] = useColours();
  const longest = Math.max(1, ...strips.map(({ first, next }) => next - first));
  const height = strips.length <= FEW ? 34 : strips.length <= DENSE ? 22 : 14;
  const topics = new Set(strips.map(({ topic, topic_id }) => topic + topic_id));
  const now = pointed && strips[pointed.strip];
  const run = now?.runs[pointed?.run ?? 0];
  return (
    <section className="strips" aria-label={t.verify.strips} ref={frame} onMouseLeave={() => point(null)}>
      <div className="strips-head">
        <h2>{t.verify.strips}</h2>
        <ul className="legend" ref={legend}>
          {LAYERS.map((each) => (
            <li key={each}>
              <i data-layer={each} />
              {t.verify.legend[each]}
            </li>
          ))}
        </ul>
      </div>
      <p className="readout" aria-hidden>
        {now && run ? (
          <>
            <b>{topics.size > 1 ? t.verify.strip(now.topic, now.partition) : t.verify.short(now.partition)}</b> {describe(run)}
          </>
        ) : (
          <span className="dim">{t.verify.hint}</span>
        )}
      </p>
      {strips.map((each, n) => (
        <Row
          key={`${each.topic}/${each.topic_id}/${each.partition}`}
          name={topics.size > 1 ? t.verify.strip(each.topic, each.partition) : t.verify.short(each.partition)}
          strip={each}
          scale={longest}
          height={height}
          colours={colours}
          at={pointed?.strip === n ? pointed.run : null}
          point={(at) => point(at === null ? null : { strip: n, run: at })}
        />
      ))}
    </section>
  );
}

type RowProps = {
  name: string;
  strip: Strip;
  scale: number; // offsets of the longest strip
  height: number;
  colours: Record<Layer, string> | null;
  at: number | null;
  point: (run: number | null) => void;
};

function Row({ name, strip, scale, height, colours, at, point }: RowProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [frame, width] = useWidth();
  const { runs, first } = strip;
  useEffect(() => {
    if (canvas.current && colours && width) draw(canvas.current, runs, first, scale, width, height, colours, at);
  }, [runs, first, scale, width, height, colours, at]);
  const shown = Math.min(at ?? 0, Math.max(0, runs.length - 1));
  const found = runs[shown];
  const bad = (strip.total.missing ?? 0) + (strip.total.gone ?? 0) + (strip.total.wrong ?? 0) > 0;
  return (
    <div className="strip">
      <span className="strip-name" data-bad={bad || undefined}>
        {name}
      </span>
      <div
        ref={frame}
        className="strip-frame"
        style={{ height }}
        role="slider"
        tabIndex={0}
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, runs.length - 1)}
        aria-valuenow={shown}
        aria-valuetext={found ? describe(found) : t.verify.noOffsets}
        onFocus={() => point(shown)}
        onBlur={() => point(null)}
        onMouseMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          point(runAt(runs, first + ((event.clientX - box.left) / box.width) * scale));
        }}
        onKeyDown={(event) => {
          const to = { ArrowRight: shown + 1, ArrowUp: shown + 1, ArrowLeft: shown - 1, ArrowDown: shown - 1, Home: 0, End: runs.length - 1 }[event.key];
          if (to === undefined) return;
          event.preventDefault();
          point(Math.max(0, Math.min(runs.length - 1, to)));
        }}
      >
        {runs.length ? <canvas ref={canvas} aria-hidden /> : <span className="dim">{t.verify.noOffsets}</span>}
      </div>
    </div>
  );
}

/** Of the height: as its layer has it. */
function badShare(run: OffsetRun): number {
  const layer = placed(run).find((each) => each.layer === "missing");
  return layer ? layer.to - layer.from : 0;
}

function runAt(runs: readonly OffsetRun[], offset: number): number | null {
  const found = runs.findIndex((each) => each.first <= offset && offset < each.next);
  return found < 0 ? null : found;
}

function draw(
  canvas: HTMLCanvasElement,
  runs: readonly OffsetRun[],
  first: number,
  scale: number,
  width: number,
  height: number,
  colours: Record<Layer, string>,
  at: number | null,
) {
  const dense = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.scale(dense, dense);
  for (const run of runs) {
    const left = ((run.first - first) / scale) * width;
    const right = ((run.next - first) / scale) * width;
    const gap = right - left >= 5 ? 1 : 0; // so that cuts can be told apart where there is room
    for (const { layer, from, to } of placed(run)) {
      pen.fillStyle = colours[layer];
      pen.fillRect(left, height * from, Math.max(1, right - left - gap), Math.max(1, height * (to - from)));
    }
  }
  // What is wrong lies over everything else, and is seen in the densest picture.
  for (const [n, run] of runs.entries()) {
    const left = ((run.first - first) / scale) * width;
    const right = ((run.next - first) / scale) * width;
    const gap = right - left >= 5 ? 1 : 0;
    if ((run.missing ?? 0) + (run.gone ?? 0) > 0) {
      pen.fillStyle = colours.missing;
      pen.fillRect(left, 0, Math.max(BAD_PX, right - left - gap), Math.max(Math.min(height, BAD_HEIGHT_PX), height * badShare(run)));
    }
    if (run.wrong) {
      pen.fillStyle = colours.missing;
      pen.fillRect(left, 0, Math.max(BAD_PX, right - left - gap), Math.max(4, height / 5));
    }
    if (n === at) {
      pen.strokeStyle = getComputedStyle(canvas).color;
      pen.lineWidth = 2;
      pen.strokeRect(left + 1, 1, Math.max(2, right - left - gap - 2), height - 2);
    }
  }
}
