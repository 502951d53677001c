// Taking an archive over: the question, and what became of its objects.
import { type Taken, useBackupVerbs } from "../../api/backups";
import { Dialog } from "../../parts/dialog";
import { Notice } from "../../parts/notice";
import { Scrolled } from "../../parts/scrolled";
import { t } from "../../texts";

export function TakeOver({ name, close }: { name: string; close: () => void }) {
  const { takeOver } = useBackupVerbs();
  const report = takeOver.data;
  return (
    <Dialog title={report ? t.backup.taken(name) : t.backup.reallyTake(name)} close={close} wide={Boolean(report?.length)}>
      {!report && <p>{t.backup.takeSay}</p>}
      {takeOver.error && <Notice kind="bad">{takeOver.error.message}</Notice>}
      {report?.length === 0 && <Notice kind="good">{t.backup.whole}</Notice>}
      {report && report.length > 0 && <Report lines={report} />}
      <div className="answers">
        <button type="button" autoFocus onClick={close}>
          {report ? t.edit.close : t.edit.cancel}
        </button>
        {!report && (
          <button type="button" className="primary" disabled={takeOver.isPending} onClick={() => takeOver.mutate(name)}>
            {t.backup.take}
          </button>
        )}
      </div>
    </Dialog>
  );
}

function Report({ lines }: { lines: readonly Taken[] }) {
  return (
    <Scrolled label={t.backup.report}>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">{t.backup.object}</th>
            <th scope="col">{t.backup.outcome}</th>
            <th scope="col">{t.backup.notes}</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((each, n) => (
            <tr key={n}>
              <th scope="row">
                {each.what} <code>{each.key}</code>
              </th>
              <td>{each.outcome}</td>
              <td>{each.notes.join("; ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}
