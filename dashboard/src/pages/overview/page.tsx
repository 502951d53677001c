// The pipeline as it runs now: what comes in and goes out, what waits, what fails; the last hour; and the processes.
import { STEP_SECONDS, type Step, useMonitor } from "../../api/cluster";
import { useList } from "../../api/use_objects";
import { Badge, why } from "../../parts/badge";
import { Chart } from "../../parts/chart";
import { Notice } from "../../parts/notice";
import { Tile } from "../../parts/tile";
import { to } from "../../route";
import { t } from "../../texts";
import { bytes, count, lasting, rate } from "../../words";
import { Begin } from "./begin";
import { Processes } from "./processes";
import "./page.css";

export default function Overview() {
  const monitor = useMonitor();
  const samples = monitor.data ?? [];
  // What stands above the numbers is known first, so that nothing moves them afterwards.
  const lists = [useList("connectors"), useList("actions"), useList("rules"), useList("sources")];
  if (monitor.isPending || lists.some(({ isPending }) => isPending)) {
    return (
      <section className="page">
        <h1>{t.pages.overview}</h1>
        <p className="dim">{t.loading}</p>
      </section>
    );
  }
  return (
    <section className="page">
      <h1>{t.pages.overview}</h1>
      {monitor.error && <Notice kind="bad">{monitor.error.message}</Notice>}
      <Begin />
      <Wrong />
      <Tiles samples={samples} />
      <Charts samples={samples} />
      <Processes />
    </section>
  );
}

function Tiles({ samples }: { samples: readonly Step[] }) {
  const last = samples.at(-1);
  const sum = (name: "dropped" | "objects" | "sent_bytes") => samples.reduce((all, each) => all + each[name], 0);
  const failed = sum("dropped");
  const latency = last ? meanLatency(last) : null;
  return (
    <dl className="tiles">
      <Tile name={t.overview.received} value={rate((last?.received ?? 0) / STEP_SECONDS)} {...(last?.connections && { note: t.overview.connections(count(last.connections)) })} />
      <Tile name={t.overview.written} value={rate((last?.sent ?? 0) / STEP_SECONDS)} />
      <Tile name={t.overview.latency} value={latency === null ? "–" : lasting(latency)} />
      <Tile name={t.overview.lag} value={count(last?.lag ?? 0)} />
      <Tile name={t.overview.failed} value={count(failed)} note={t.overview.lastHour} bad={failed > 0} />
      <Tile name={t.overview.objects} value={count(sum("objects"))} note={t.overview.lastHour} />
      <Tile name={t.overview.bytes} value={bytes(sum("sent_bytes"))} note={t.overview.lastHour} />
    </dl>
  );
}

/** From the arrival of a message to its place in the store, on average; null while none got there. */
const meanLatency = ({ latency_ms, latency_count }: Step): number | null => (latency_count ? latency_ms / latency_count : null);

function Charts({ samples }: { samples: readonly Step[] }) {
  const times = samples.map((each) => each.time_stamp);
  const rates = (name: "received" | "sent" | "sent_bytes" | "objects") => samples.map((each) => each[name] / STEP_SECONDS);
  const { charts, received, written } = t.overview;
  return (
    <div className="charts">
      <Chart
        title={charts.rates}
        times={times}
        series={[
          { name: received, colour: "--blue", values: rates("received") },
          { name: written, colour: "--accent", values: rates("sent") },
        ]}
        said={rate}
        least={0.1}
      />
      <Chart title={charts.latency} times={times} series={[{ name: t.overview.mean, colour: "--violet", values: samples.map(meanLatency) }]} said={lasting} />
      <Chart title={charts.lag} times={times} series={[{ name: t.overview.lag, colour: "--warn", values: samples.map((each) => each.lag) }]} />
      <Chart title={charts.bytes} times={times} series={[{ name: t.overview.size, colour: "--accent", values: rates("sent_bytes") }]} said={bytes} />
      <Chart title={charts.objects} times={times} series={[{ name: t.overview.size, colour: "--accent", values: rates("objects") }]} said={rate} least={0.1} />
      <Chart title={charts.failures} times={times} series={[{ name: t.overview.failed, colour: "--bad", values: samples.map((each) => each.dropped) }]} />
    </div>
  );
}

/** Sources, connectors and actions that do not work, with their reasons, so that nobody has to look for them. */
function Wrong() {
  const actions = useList("actions").data ?? [];
  const connectors = useList("connectors").data ?? [];
  const sources = useList("sources").data ?? [];
  const failing = [
    ...sources.filter(fails).map((each) => ({ each, family: "sources" as const })),
    ...connectors.filter(fails).map((each) => ({ each, family: "connectors" as const })),
    ...actions.filter(fails).map((each) => ({ each, family: "actions" as const })),
  ];
  if (!failing.length) return null;
  return (
    <section className="card" aria-label={t.overview.wrong}>
      <h2>{t.overview.wrong}</h2>
      <ul className="plain-list">
        {failing.map(({ each, family }) => (
          <li key={family + each.name}>
            <Badge status={each.status} /> <a href={to(family, `${each.type}:${each.name}`)}>{each.name}</a> <span className="dim">{why(each.status_reason)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const fails = (each: { enable?: unknown; status: string }) => each.enable !== false && (each.status === "disconnected" || each.status === "inconsistent");
