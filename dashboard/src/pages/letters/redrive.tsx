// Sending letters again, in three steps: the plan, the answer, what was sent.
import { useEffect, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { useJob, useJobVerbs } from "../../api/evidence";
import { Dialog } from "../../parts/dialog";
import { Notes, Progress } from "../../parts/job";
import { Notice } from "../../parts/notice";
import { t } from "../../texts";

type Props = { wish: Record<string, unknown>; close: () => void };

export function Redrive({ wish, close }: Props) {
  const verbs = useJobVerbs();
  const [id, setId] = useState<string | null>(null);
  useEffect(() => verbs.start.mutate({ kind: "redrive", ...wish }, { onSuccess: (job) => setId(job.id) }), []);
  return (
    <Dialog title={t.letters.sendTitle} close={close}>
      <p>{t.letters.sendSay}</p>
      {verbs.start.error && (
        <>
          <Notice kind="bad">{verbs.start.error.message}</Notice>
          <div className="answers">
            <button type="button" onClick={close}>
              {t.letters.finish}
            </button>
          </div>
        </>
      )}
      {id ? <Steps id={id} close={close} /> : !verbs.start.error && <p className="dim">{t.letters.planning}</p>}
    </Dialog>
  );
}

function Steps({ id, close }: { id: string; close: () => void }) {
  const { data: job, error } = useJob<"redrive">(id);
  const verbs = useJobVerbs();
  const queries = useQueryClient();
  const over = job?.ended != null;
  useEffect(() => {
    if (over) void queries.invalidateQueries({ queryKey: ["letters"] });
  }, [over]);
  if (error) return <Notice kind="bad">{error.message}</Notice>;
  if (!job?.result) return <p className="dim">{t.letters.planning}</p>;
  const { plan, sent } = job.result;
  const finish = () => {
    void queries.invalidateQueries({ queryKey: ["letters"] }); // some that failed again are there by now
    close();
  };
  const cancel = () => {
    if (!over) verbs.end.mutate(id);
    close();
  };
  return (
    <>
      {sent ? (
        <Notice kind="good">
          {t.letters.done(sent.sent)} {sent.sent > 0 && t.letters.doneSay}
        </Notice>
      ) : (
        plan && (
          <ul>
            {plan.sent > 0 && <li>{t.letters.would(plan.sent)}</li>}
            {plan.over > 0 && <li>{t.letters.over(plan.over)}</li>}
            {plan.kept > 0 && <li>{t.letters.kept(plan.kept)}</li>}
            {!plan.sent && !plan.over && !plan.kept && <li>{t.letters.nothing}</li>}
          </ul>
        )
      )}
      {!plan && !over && <p className="dim">{t.letters.planning}</p>}
      <Progress job={job} />
      <Notes job={job} />
      {verbs.run.error && <Notice kind="bad">{verbs.run.error.message}</Notice>}
      <div className="answers">
        {over ? (
          <button type="button" className="primary" onClick={finish}>
            {t.letters.finish}
          </button>
        ) : (
          <>
            <button type="button" onClick={cancel}>
              {t.letters.cancel}
            </button>
            {job.state === "planned" && (
              <button type="button" className="primary" disabled={verbs.run.isPending} onClick={() => verbs.run.mutate(id)}>
                {plan?.sent === 1 ? t.letters.confirmOne : t.letters.confirm}
              </button>
            )}
          </>
        )}
      </div>
    </>
  );
}
