// The API keys: how programs log in. A secret is shown once, when its key is made.
import { useState } from "react";
import { type ApiKey, useKeys, useKeyVerbs } from "../../api/people";
import { useMayChange } from "../../api/session";
import { DeleteDialog } from "../../parts/delete_dialog";
import { CopyButton } from "../../parts/copy_button";
import { Dialog } from "../../parts/dialog";
import { FormDialog } from "../../parts/form_dialog";
import { Notice } from "../../parts/notice";
import { Listing } from "../../parts/listing";
import { RoleField } from "../../parts/role_field";
import { Switch } from "../../parts/switch";
import type { Column } from "../../parts/table";
import { TextField } from "../../parts/text_field";
import { t } from "../../texts";
import { exact } from "../../words";

const NEVER = "infinity";

export default function Keys() {
  const list = useKeys();
  const verbs = useKeyVerbs();
  const mayChange = useMayChange();
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<(ApiKey & { api_secret: string }) | null>(null);
  const [doomed, setDoomed] = useState<ApiKey | null>(null);
  const columns: Column<ApiKey>[] = [
    {
      name: t.people.name,
      width: "minmax(0, 1fr)",
      order: (row) => row.name,
      cell: (row) => (
        <>
          {row.name}
          <small>{row.desc}</small>
        </>
      ),
    },
    { name: t.people.key, width: "180px", phone: false, cell: (row) => <code>{row.api_key}</code> },
    { name: t.people.role, width: "130px", phone: false, order: (row) => row.role, cell: (row) => row.role },
    { name: t.people.ends, width: "190px", phone: false, order: (row) => row.expired_at, cell: (row) => <Ends row={row} /> },
    {
      name: t.table.enabled,
      width: "80px",
      cell: (row) => (
        <Switch on={row.enable} disabled={!mayChange} label={t.table.enable(row.name)} change={(on) => verbs.enable.mutate({ name: row.name, on })} />
      ),
    },
  ];
  return (
    <Listing
      page="keys"
      create={
        mayChange && (
          <button type="button" className="primary" onClick={() => setMaking(true)}>
            {t.people.createKey}
          </button>
        )
      }
      list={list}
      failed={list.error ?? verbs.enable.error}
      columns={columns}
      name={(row) => row.name}
      words={(row) => `${row.name} ${row.desc}`}
      menu={
        mayChange &&
        ((row) => (
          <button type="button" className="danger" onClick={() => setDoomed(row)}>
            {t.edit.delete}
          </button>
        ))
      }
      empty={<p>{t.people.noKeys}</p>}
    >
      {making && (
        <FormDialog
          title={t.people.createKey}
          verb={t.edit.create}
          close={() => setMaking(false)}
          send={async (form) => {
            const until = String(form.get("until") ?? "");
            const expired_at = until ? new Date(until).toISOString() : NEVER;
            setMade(await verbs.create.mutateAsync({ name: String(form.get("name")), role: String(form.get("role")), desc: String(form.get("desc")), expired_at }));
          }}
        >
          <TextField label={t.people.name} name="name" />
          <RoleField />
          <Until />
          <TextField label={t.columns.description} name="desc" required={false} />
        </FormDialog>
      )}
      {made && <Secret made={made} close={() => setMade(null)} />}
      {doomed && <DeleteDialog name={doomed.name} close={() => setDoomed(null)} remove={() => verbs.remove.mutateAsync(doomed.name)} />}
    </Listing>
  );
}

function Ends({ row }: { row: ApiKey }) {
  if (row.expired_at === NEVER) return <span className="dim">{t.people.never}</span>;
  const when = exact(Date.parse(row.expired_at));
  return row.expired ? <span className="error">{t.people.over(when)}</span> : <>{when}</>;
}

function Until() {
  return (
    <div className="field">
      <label htmlFor="key-until">
        {t.people.ends} <span className="dim">({t.form.optional})</span>
      </label>
      <input id="key-until" name="until" type="datetime-local" />
    </div>
  );
}

function Secret({ made, close }: { made: ApiKey & { api_secret: string }; close: () => void }) {
  return (
    <Dialog title={t.people.made(made.name)} close={close}>
      <Notice kind="warn">{t.people.secretOnce}</Notice>
      <dl className="object">
        <dt>{t.people.key}</dt>
        <dd>
          <code>{made.api_key}</code>
        </dd>
        <dt>{t.people.secret}</dt>
        <dd>
          <code>{made.api_secret}</code>
        </dd>
      </dl>
      <div className="answers">
        <CopyButton text={made.api_secret} label={t.people.copy} />
        <button type="button" className="primary" onClick={close}>
          {t.edit.close}
        </button>
      </div>
    </Dialog>
  );
}
