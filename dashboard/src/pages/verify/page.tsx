// The proof: start a verification, watch it, and read what it has found.
import { useState } from "react";
import { type Job, reportOf, useJob, useJobs, useJobVerbs, type Verification } from "../../api/evidence";
import { useMayChange } from "../../api/session";
import { ActionChoice } from "../../parts/action_choice";
import { Earlier, Notes, Progress } from "../../parts/job";
import { Notice } from "../../parts/notice";
import { Tile } from "../../parts/tile";
import { When } from "../../parts/when";
import { go, type Route, to } from "../../route";
import { t } from "../../texts";
import { count, short } from "../../words";
import { Findings } from "./findings";
import { Strips } from "./strips";
import "./verify.css";

export default function Verify({ rest: [id] }: Route) {
  const { data: jobs = [] } = useJobs("verify");
  const shown = id ?? jobs[0]?.id;
  return (
    <section className="page">
      <div>
        <h1>{t.pages.verify}</h1>
        <p className="dim">{t.verify.say}</p>
      </div>
      <Start before={String(jobs.find((each) => each.id === shown)?.wish.action ?? "")} />
      {shown && <Result key={shown} id={shown} />}
      <Earlier kind="verify" but={shown} />
    </section>
  );
}

/** `before`: the action that was verified last, which is the likely one. */
function Start({ before }: { before: string }) {
  const mayChange = useMayChange();
  const verbs = useJobVerbs();
  const [chosen, setChosen] = useState<string | null>(null);
  const action = chosen ?? before;
  const [deep, setDeep] = useState(false);
  if (!mayChange) return <p className="dim">{t.verify.viewer}</p>;
  return (
    <form
      className="card verify-start"
      onSubmit={(event) => {
        event.preventDefault();
        verbs.start.mutate({ kind: "verify", action, deep }, { onSuccess: ({ id }) => go(to("verify", id)) });
      }}
    >
      <ActionChoice value={action} change={setChosen} />
      <label className="ticked">
        <input type="checkbox" checked={deep} onChange={(event) => setDeep(event.target.checked)} aria-describedby="deep" />
        {t.verify.deep}
      </label>
      <p className="help" id="deep">
        {t.verify.deepSay}
      </p>
      {verbs.start.error && <Notice kind="bad">{verbs.start.error.message}</Notice>}
      <button className="primary" disabled={!action || verbs.start.isPending}>
        {t.verify.start}
      </button>
    </form>
  );
}

function Result({ id }: { id: string }) {
  const { data: job, error } = useJob<"verify">(id, 300);
  if (error) return <Notice kind="bad">{error.message}</Notice>;
  if (!job?.result) return <p className="dim">{t.loading}</p>;
  const { result } = job;
  return (
    <article className="card result" aria-label={String(job.wish.action)}>
      <Verdict job={job} result={result} />
      <Progress job={job} />
      <Totals result={result} />
      {result.strips.length > 0 && <Strips strips={result.strips} />}
      <Findings result={result} />
      <Notes job={job} />
    </article>
  );
}

/** What the reader wants to know first. */
function Verdict({ job, result }: { job: Job<"verify">; result: Verification }) {
  const found = Object.values(result.found).reduce((sum, each) => sum + each, 0);
  const { rows = 0, records = 0, partitions = 0 } = result.totals;
  const none = !partitions && !result.direct;
  const whole = partitions ? t.verify.whole : t.verify.directWhole; // only a ledger can tell that nothing is missing
  const kind = job.ended === null ? "going" : found ? "bad" : job.state !== "done" || none ? "warn" : "good";
  const title = job.ended === null ? t.verify.going : found ? t.verify.findings(found) : none ? t.verify.noLedger : whole;
  const say = found
    ? t.verify.findingsSay
    : none
      ? t.verify.noLedgerSay
      : [partitions && t.verify.wholeSay(rows, records), result.direct && t.verify.directSay(result.direct.objects)].filter(Boolean).join(" ");
  return (
    <div className="verdict" data-kind={kind}>
      <div aria-live="polite">
        <h2>{job.ended !== null && job.state !== "done" && !found ? t.jobs[job.state] : title}</h2>
        {job.state === "done" && <p>{say}</p>}
        <p className="dim">
          {String(job.wish.action)} · <When ms={job.began} /> {t.jobs.by(job.by, job.wish.deep === true)}
        </p>
      </div>
      {job.ended !== null && (
        <a className="button" href={reportOf(job.id)} download>
          {t.jobs.download}
        </a>
      )}
    </div>
  );
}

function Totals({ result }: { result: Verification }) {
  if (!result.totals.entries) return null;
  return (
    <dl className="tiles">
      {(Object.keys(t.verify.tiles) as (keyof typeof t.verify.tiles)[]).map((name) => (
        <Tile key={name} name={t.verify.tiles[name]} value={result.totals[name] < 1e6 ? count(result.totals[name]) : short(result.totals[name])} />
      ))}
    </dl>
  );
}
