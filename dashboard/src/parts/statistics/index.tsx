// What a rule, an action or a source has done: what became of its messages, how fast they come, and what each process says of it.
import { lazy, type ReactNode, Suspense, useState } from "react";
import { type Counted, type Latency, type Numbers, useMetrics, useReset } from "../../api/metrics";
import { useMayChange } from "../../api/session";
import { t } from "../../texts";
import { bytes, count, lasting, rate } from "../../words";
import { Notice } from "../notice";
import { Tabs } from "../tabs";
import { Tile } from "../tile";
import { Nodes } from "./nodes";

const Trend = lazy(() => import("./trend")); // with what draws charts, which a list has no need of

type Share = { name: string; metric: string; kind: "good" | "idle" | "bad" };
type Kind = { all: string; title: string; shares: Share[]; rates: [string, string, string]; more: { name: string; metric: string; said: (n: number) => string }[] };

const { statistics } = t;
const KINDS: Record<Counted, Kind> = {
  rules: {
    all: "matched",
    title: statistics.matched,
    shares: [
      { name: statistics.passed, metric: "passed", kind: "good" },
      { name: statistics.noResult, metric: "failed.no_result", kind: "idle" },
      { name: statistics.failed, metric: "failed.exception", kind: "bad" },
    ],
    rates: ["matched.rate", "matched.rate.last5m", "matched.rate.max"],
    more: [
      { name: statistics.byActions, metric: "actions.success", said: count },
      { name: statistics.failedActions, metric: "actions.failed", said: count },
      { name: statistics.discardedActions, metric: "actions.discarded", said: count },
    ],
  },
  sources: {
    all: "received",
    title: statistics.received,
    shares: [
      { name: statistics.inKafka, metric: "success", kind: "good" },
      { name: statistics.dropped, metric: "dropped", kind: "idle" },
      { name: statistics.failed, metric: "failed", kind: "bad" },
    ],
    rates: ["rate", "rate_last5m", "rate_max"],
    more: [],
  },
  actions: {
    all: "matched",
    title: statistics.matched,
    shares: [
      { name: statistics.written, metric: "success", kind: "good" },
      { name: statistics.failed, metric: "failed", kind: "bad" },
    ],
    rates: ["rate", "rate_last5m", "rate_max"],
    more: [
      { name: statistics.waiting, metric: "queuing", said: count },
      { name: statistics.held, metric: "queuing_bytes", said: bytes },
      { name: statistics.inflight, metric: "inflight", said: count },
      { name: statistics.dropped, metric: "dropped", said: count },
      { name: statistics.retried, metric: "retried", said: count },
      { name: statistics.conflated, metric: "conflated", said: count },
      { name: statistics.uploads, metric: "aggregated_upload.success", said: count },
      { name: statistics.uploadFailures, metric: "aggregated_upload.failure", said: count },
    ],
  },
};

export function Statistics({ family, id, children }: { family: Counted; id: string; children?: ReactNode }) {
  const { data, error } = useMetrics(family, id);
  const reset = useReset(family, id);
  const mayChange = useMayChange();
  const [node, setNode] = useState("");
  const [said, setSaid] = useState("");
  const kind = KINDS[family];
  const chosen = data?.node_metrics.find((each) => each.node === node)?.metrics ?? data?.metrics;
  return (
    <section className="page">
      <div className="heading">
        <h1>{id}</h1>
        <NodeChoice nodes={data?.node_metrics.map((each) => each.node) ?? []} node={node} choose={setNode} />
        {mayChange && (
          <button type="button" onClick={() => void reset().then(() => setSaid(""), (failed: Error) => setSaid(failed.message))}>
            {statistics.reset}
          </button>
        )}
      </div>
      <Tabs family={family} id={id} on="statistics" />
      {(error || said) && <Notice kind="bad">{error?.message ?? said}</Notice>}
      {chosen && (
        <>
          <Outcome kind={kind} numbers={chosen} />
          <Rates names={kind.rates} numbers={chosen} />
          <Suspense fallback={<figure className="card chart" />}>
            <Trend key={node} family={family} id={id} node={node} now={chosen[kind.rates[0]] ?? 0} />
          </Suspense>
          {data?.latency?.count ? <Latencies of={data.latency as Latency} /> : null}
          {kind.more.length > 0 && (
            <dl className="tiles">
              {kind.more.map(({ name, metric, said: words }) => (
                <Tile key={metric} name={name} value={words(chosen[metric] ?? 0)} />
              ))}
            </dl>
          )}
        </>
      )}
      {data && <Nodes family={family} id={id} data={data} columns={[{ name: kind.title, metric: kind.all }, ...kind.shares]} rateOf={kind.rates[0]} />}
      {children}
    </section>
  );
}

function NodeChoice({ nodes, node, choose }: { nodes: string[]; node: string; choose: (node: string) => void }) {
  return (
    <select aria-label={statistics.node} value={node} onChange={(event) => choose(event.target.value)}>
      <option value="">{statistics.all}</option>
      {nodes.map((each) => (
        <option key={each}>{each}</option>
      ))}
    </select>
  );
}

/** One bar for all messages, cut by what became of them, with the same in numbers below. */
function Outcome({ kind, numbers }: { kind: Kind; numbers: Numbers }) {
  const of = (metric: string) => numbers[metric] ?? 0;
  const sum = Math.max(1, kind.shares.reduce((all, { metric }) => all + of(metric), 0));
  return (
    <section className="card" aria-label={statistics.outcome}>
      <h2>
        {kind.title} <span className="number">{count(of(kind.all))}</span>
      </h2>
      <div className="shares" aria-hidden>
        {kind.shares.map(({ metric, kind: colour }) => (
          <i key={metric} data-kind={colour} style={{ flexGrow: of(metric) / sum }} />
        ))}
      </div>
      <dl className="legend">
        {kind.shares.map(({ name, metric, kind: colour }) => (
          <div key={metric}>
            <dt>
              <i data-kind={colour} /> {name}
            </dt>
            <dd className="number">{count(of(metric))}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Rates({ names, numbers }: { names: readonly string[]; numbers: Numbers }) {
  const words = [statistics.now, statistics.minutes, statistics.most];
  return (
    <dl className="tiles">
      {names.map((name, n) => (
        <Tile key={name} name={words[n] ?? ""} value={rate(numbers[name] ?? 0)} />
      ))}
    </dl>
  );
}

/** How long rows of an action took from the arrival of their message to the store. The three are ends of buckets: at most so long. */
function Latencies({ of }: { of: Latency }) {
  const said = (seconds: number | null) => (seconds === null ? "–" : lasting(seconds * 1000));
  return (
    <dl className="tiles" aria-label={t.overview.latency}>
      <Tile name={statistics.mean} value={said(of.mean_seconds)} />
      <Tile name={statistics.half} value={said(of.p50_seconds)} />
      <Tile name={statistics.most95} value={said(of.p95_seconds)} />
      <Tile name={statistics.most99} value={said(of.p99_seconds)} />
    </dl>
  );
}
