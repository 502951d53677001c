// What a trial gave: the rows, and the object that each action makes of each.
import type { Trial } from "../api/trial";
import { t } from "../texts";
import { Notice } from "./notice";

export function Outcome({ trial }: { trial: Trial }) {
  if (trial.error) return <Notice kind="bad">{trial.error.message}</Notice>;
  if (trial.outcome !== "rows") return <Notice kind="warn">{t.rules.noMatch}</Notice>;
  return (
    <>
      {trial.rows.map((row, n) => (
        <section key={n}>
          <pre>{JSON.stringify(row, null, 2)}</pre>
          {trial.rendered[n]?.map(({ action, bucket, key, content }) => (
            <dl className="object" key={action}>
              <dt>{action}</dt>
              <dd>
                <code>
                  {bucket}/{key}
                </code>
              </dd>
              <dt>{t.actions.content}</dt>
              <dd>
                <pre>{content}</pre>
              </dd>
            </dl>
          ))}
        </section>
      ))}
    </>
  );
}
