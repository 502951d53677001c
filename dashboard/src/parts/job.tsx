// What all jobs have: how far one is, how it ended, and the list of the earlier ones.
import { type Job, type Kind, useJobs, useJobVerbs } from "../api/evidence";
import { useMayChange } from "../api/session";
import { to } from "../route";
import { t } from "../texts";
import { Notice } from "./notice";
import { When } from "./when";
import "./job.css";

export function Progress({ job }: { job: Job }) {
  const verbs = useJobVerbs();
  const mayChange = useMayChange();
  const known = job.total > 0;
  const doing = job.doing.charAt(0).toUpperCase() + job.doing.slice(1);
  return (
    <div className="progress">
      {job.state === "running" && (
        <>
          <progress aria-label={t.jobs.progress} {...(known ? { max: job.total, value: Math.min(job.done, job.total) } : {})} />
          <span className="number dim">{known ? t.jobs.of(doing, job.done, job.total) : t.jobs.soFar[job.kind](doing, job.done)}</span>
          {mayChange && (
            <button type="button" onClick={() => verbs.end.mutate(job.id)}>
              {t.jobs.end}
            </button>
          )}
        </>
      )}
      {job.state === "failed" && <Notice kind="bad">{job.problem}</Notice>}
      {job.state === "cancelled" && <Notice kind="warn">{t.jobs.cancelled}</Notice>}
    </div>
  );
}

export function Notes({ job }: { job: Job }) {
  if (!job.notes.length) return null;
  return (
    <details className="notes" open={job.notes.length < 4}>
      <summary>{t.jobs.notes}</summary>
      <ul>
        {job.notes.map((each, n) => (
          <li key={n}>{each}</li>
        ))}
      </ul>
    </details>
  );
}

export function Earlier({ kind, but }: { kind: Kind; but?: string | undefined }) {
  const { data = [] } = useJobs(kind);
  const others = data.filter((each) => each.id !== but);
  if (but && !others.length) return null;
  return (
    <section aria-label={t.jobs.earlier}>
      <h2>{t.jobs.earlier}</h2>
      {others.length ? (
        <ul className="jobs">
          {others.map((each) => (
            <li key={each.id}>
              <a href={to(kind, each.id)}>{String(each.wish.action ?? "")}</a>
              <span>{t.jobs[each.state]}</span>
              <span className="dim">
                <When ms={each.began} /> {t.jobs.by(each.by, "deep" in each.wish && each.wish.deep === true)}
              </span>
            </li>
          ))}
        </ul>
      ) : (
        <p className="dim">{t.jobs.noEarlier}</p>
      )}
      <p className="help">{t.jobs.earlierSay}</p>
    </section>
  );
}
