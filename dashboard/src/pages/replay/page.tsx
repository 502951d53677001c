// A range of records is handled again with today's rules: the range, the plan with its cost, the run.
import { type Job, type LeftOut, type Replaying, useJob, useJobVerbs } from "../../api/evidence";
import { useMayChange } from "../../api/session";
import { Earlier, Notes, Progress } from "../../parts/job";
import { Notice } from "../../parts/notice";
import { Tile } from "../../parts/tile";
import { When } from "../../parts/when";
import { type Route, to } from "../../route";
import { t } from "../../texts";
import { count } from "../../words";
import { Wish } from "./wish";
import "../../parts/job.css";
import "./replay.css";

const SPANS_SHOWN = 12;

export default function Replay({ rest: [id] }: Route) {
  const mayChange = useMayChange();
  return (
    <section className="page">
      <div className="heading">
        <h1>{t.pages.replay}</h1>
        {id && (
          <a className="button" href={to("replay")}>
            {t.replay.again}
          </a>
        )}
      </div>
      <p className="dim">{t.replay.say}</p>
      {id ? <Running key={id} id={id} /> : mayChange ? <Wish /> : <p className="dim">{t.replay.viewer}</p>}
      <Earlier kind="replay" but={id} />
    </section>
  );
}

function Running({ id }: { id: string }) {
  const { data: job, error } = useJob<"replay">(id);
  const verbs = useJobVerbs();
  const mayChange = useMayChange();
  if (error) return <Notice kind="bad">{error.message}</Notice>;
  if (!job?.result) return <p className="dim">{t.loading}</p>;
  const { plan, end, left_out: leftOut } = job.result;
  return (
    <article className="card replaying" aria-label={String(job.wish.action)}>
      <h2>
        {String(job.wish.action)}: {t.jobs[job.state]}
      </h2>
      <p className="dim">
        <When ms={job.began} /> {t.jobs.by(job.by, false)}
      </p>
      <Progress job={job} />
      {plan && <Plan plan={plan} />}
      {leftOut.length > 0 && <LeftOutList all={leftOut} />}
      <Notes job={job} />
      {end && (
        <Notice kind="good">
          {end[0]?.toUpperCase()}
          {end.slice(1)}. <Look job={job} />
        </Notice>
      )}
      {job.state === "planned" && mayChange && (
        <div className="answers">
          <button type="button" onClick={() => verbs.end.mutate(id)}>
            {t.replay.stop}
          </button>
          <button type="button" className="primary" disabled={verbs.run.isPending} onClick={() => verbs.run.mutate(id)}>
            {t.replay.run}
          </button>
        </div>
      )}
    </article>
  );
}

function Look({ job }: { job: Job<"replay"> }) {
  const into = typeof job.wish.into === "string" ? `${job.wish.into.replace(/^\/+|\/+$/g, "")}/` : "";
  const folder = into ? `?prefix=${encodeURIComponent(into)}` : "";
  return <a href={to("objects", String(job.wish.action)) + folder}>{t.replay.look}</a>;
}

function Plan({ plan }: { plan: NonNullable<Replaying["plan"]> }) {
  return (
    <section aria-label={t.replay.title}>
      <dl className="tiles">
        <Tile name={t.replay.records} value={count(plan.records)} note={t.replay.read(plan.bytes)} />
        <Tile name={t.replay.rows} value={count(plan.rows)} />
        <Tile name={t.replay.objects} value={count(plan.objects)} />
        <Tile name={t.replay.puts} value={count(plan.puts)} />
      </dl>
      <dl className="known">
        <dt>{t.replay.into}</dt>
        <dd>{plan.where}</dd>
        <dt>{t.replay.spans}</dt>
        <dd className="number">
          {plan.spans.slice(0, SPANS_SHOWN).map((each) => (
            <div key={`${each.topic}/${each.partition}`}>{t.replay.span(each.topic, each.partition, each.first, each.end)}</div>
          ))}
          {plan.spans.length > SPANS_SHOWN && <div className="dim">{t.replay.moreSpans(plan.spans.length - SPANS_SHOWN)}</div>}
        </dd>
      </dl>
    </section>
  );
}

function LeftOutList({ all }: { all: readonly LeftOut[] }) {
  return (
    <Notice kind="warn">
      <b>{t.replay.leftOut}</b>
      <ul>
        {all.map((each) => (
          <li key={each.rule + each.cause}>
            {t.replay.leftOutSay(each.records, each.rule, each.cause)}; {t.replay.first(each.first)}: {each.error}
          </li>
        ))}
      </ul>
    </Notice>
  );
}
