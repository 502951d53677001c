// Deleting an object: the question, and the list of those that use it when the server refuses.
import { useState } from "react";
import { ApiError } from "../api/client";
import { t } from "../texts";
import { Dialog } from "./dialog";
import { Notice } from "./notice";

type Props = {
  name: string;
  close: () => void;
  remove: (withDependants: boolean, also: readonly string[]) => Promise<unknown>;
  dependants?: readonly string[]; // what loses the object with it
  orphans?: readonly string[]; // what nobody else uses: it may go too
};

export function DeleteDialog({ name, close, remove, dependants = [], orphans = [] }: Props) {
  const [said, setSaid] = useState<ApiError | null>(null);
  const [also, setAlso] = useState(true);
  const users = ["rules", "actions", "sources"].flatMap((family) => (Array.isArray(said?.body[family]) ? (said.body[family] as string[]) : []));
  async function submit() {
    try {
      await remove(dependants.length > 0, also ? orphans : []);
      close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setSaid(error);
    }
  }
  return (
    <Dialog title={said ? t.edit.inUse(name) : t.edit.reallyDelete(name)} close={close}>
      {said && <Notice kind="bad">{said.message}</Notice>}
      {users.length > 0 && (
        <>
          <p>{t.edit.inUseSay}</p>
          <Names of={users} />
        </>
      )}
      {!said && dependants.length > 0 && (
        <>
          <p>{t.edit.actionsOf}</p>
          <Names of={dependants} />
        </>
      )}
      {!said && orphans.length > 0 && (
        <>
          <label>
            <input type="checkbox" checked={also} onChange={(event) => setAlso(event.target.checked)} /> {t.edit.withOrphans}
          </label>
          <Names of={orphans} />
        </>
      )}
      <div className="answers">
        <button type="button" onClick={close} autoFocus>
          {said ? t.edit.close : t.edit.cancel}
        </button>
        {!said && (
          <button type="button" className="danger" onClick={() => void submit()}>
            {t.edit.delete}
          </button>
        )}
      </div>
    </Dialog>
  );
}

export function Names({ of }: { of: readonly string[] }) {
  return (
    <ul>
      {of.map((each) => (
        <li key={each}>
          <code>{each}</code>
        </li>
      ))}
    </ul>
  );
}
