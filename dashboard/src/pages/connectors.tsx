// The connectors: the list, and the form of one.
import { useState } from "react";
import { ApiError } from "../api/client";
import { type Connector, idOf, probe } from "../api/objects";
import { useSchemas } from "../api/schemas";
import { useMayChange } from "../api/session";
import { useList, useVerbs } from "../api/use_objects";
import { Badge } from "../parts/badge";
import { ConflictDialog } from "../parts/conflict";
import { DeleteDialog } from "../parts/delete_dialog";
import { useEdit } from "../parts/edit";
import type { Value } from "../parts/form/value";
import { Menu } from "../parts/menu";
import { Notice } from "../parts/notice";
import { ObjectForm, useFields } from "../parts/object_form";
import { Switch } from "../parts/switch";
import { type Column, Table } from "../parts/table";
import { go, leaveFor, to } from "../route";
import { t } from "../texts";
import { PRESETS } from "./presets";

export default function Connectors({ id, query }: { id?: string | undefined; query: URLSearchParams }) {
  if (id === undefined) return <List />;
  return <One key={id} id={id === "new" ? null : id} copyOf={query.get("copy")} />;
}

function List() {
  const { data = [], isPending, error } = useList("connectors");
  const verbs = useVerbs("connectors");
  const mayChange = useMayChange();
  const [doomed, setDoomed] = useState<Connector | null>(null);
  const columns: Column<Connector>[] = [
    {
      name: t.columns.name,
      width: "minmax(0, 2fr)",
      order: (row) => row.name,
      cell: (row) => (
        <>
          <a href={to("connectors", idOf("connectors", row))}>{row.name}</a>
          <small>{row.description || `${row.host}:${row.port}`}</small>
        </>
      ),
    },
    { name: t.columns.status, width: "150px", order: (row) => row.status, cell: (row) => <Badge status={row.status} reason={row.status_reason ?? null} /> },
    {
      name: t.columns.usedBy,
      width: "minmax(0, 2fr)",
      phone: false,
      cell: (row) => row.actions?.join(", ") || <span className="dim">{t.edit.nobody}</span>,
    },
    {
      name: t.table.enabled,
      width: "80px",
      cell: (row) => (
        <Switch
          on={row.enable !== false}
          disabled={!mayChange}
          label={t.table.enable(row.name)}
          change={(on) => verbs.enable.mutate({ id: idOf("connectors", row), on })}
        />
      ),
    },
  ];
  if (mayChange) {
    columns.push({
      name: "",
      width: "44px",
      cell: (row) => (
        <Menu label={t.table.more(row.name)}>
          <a href={to("connectors", idOf("connectors", row))}>{t.edit.settings}</a>
          {row.enable !== false && (
            <button type="button" onClick={() => verbs.start.mutate(idOf("connectors", row))}>
              {t.edit.reconnect}
            </button>
          )}
          <a href={`${to("connectors", "new")}?copy=${encodeURIComponent(idOf("connectors", row))}`}>{t.edit.duplicate}</a>
          <a href={`${to("actions", "new")}?connector=${encodeURIComponent(row.name)}`}>{t.actions.create}</a>
          <button type="button" className="danger" onClick={() => setDoomed(row)}>
            {t.edit.delete}
          </button>
        </Menu>
      ),
    });
  }
  const create = mayChange && (
    <a className="button primary" href={to("connectors", "new")}>
      {t.connectors.create}
    </a>
  );
  return (
    <section className="page">
      <div className="heading">
        <h1>{t.pages.connectors}</h1>
        {create}
      </div>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {isPending ? (
        <p className="dim">{t.loading}</p>
      ) : (
        <Table
          label={t.pages.connectors}
          rows={data}
          columns={columns}
          id={(row) => idOf("connectors", row)}
          words={(row) => `${row.name} ${row.description ?? ""} ${row.host ?? ""}`}
          empty={<p>{t.connectors.none}</p>}
        />
      )}
      {doomed && (
        <DeleteDialog
          name={doomed.name}
          close={() => setDoomed(null)}
          remove={(withDependants) => verbs.remove.mutateAsync({ id: idOf("connectors", doomed), withDependants })}
        />
      )}
    </section>
  );
}

function One({ id, copyOf }: { id: string | null; copyOf: string | null }) {
  const mayChange = useMayChange();
  const [made, setMade] = useState<string | null>(null);
  if (made) {
    return (
      <section className="page">
        <h1>{made}</h1>
        <Notice kind="good">{t.connectors.then}</Notice>
        <p>
          <a className="button primary" href={`${to("actions", "new")}?connector=${encodeURIComponent(made)}`}>
            {t.connectors.createAction}
          </a>
        </p>
      </section>
    );
  }
  return (
    <section className="page">
      <div className="heading">
        <h1>{id ?? t.connectors.create}</h1>
      </div>
      {!mayChange && <Notice kind="warn">{t.edit.read}</Notice>}
      <ConnectorForm
        id={id}
        copyOf={copyOf}
        saved={(name) => (id === null ? setMade(name) : leaveFor(to("connectors")))}
        cancel={() => go(to("connectors"))}
      />
    </section>
  );
}

type FormProps = { id: string | null; copyOf?: string | null; saved: (name: string) => void; cancel: () => void };

/** The form alone: the form of an action opens it in a dialog too. */
export function ConnectorForm({ id, copyOf = null, saved, cancel }: FormProps) {
  const mayChange = useMayChange();
  const schemas = useSchemas("connectors");
  const fields = useFields(schemas.data, "S3Connector");
  const edit = useEdit("connectors", id, { type: "s3", name: "" }, fields && ["enable", ...fields.map((field) => field.name)], copyOf);
  const [tried, setTried] = useState<{ good: boolean; text: string } | null>(null);
  if (schemas.error ?? edit.failed) return <Notice kind="bad">{(schemas.error ?? edit.failed)?.message}</Notice>;
  if (!fields || !edit.ready) return <p className="dim">{t.loading}</p>;

  async function test() {
    setTried({ good: true, text: t.connectors.testing });
    const body = id === null ? edit.value : { ...edit.value, ...named(id) };
    await probe("connectors", body).then(
      () => setTried({ good: true, text: t.connectors.works }),
      (error: ApiError) => setTried({ good: false, text: error.message }),
    );
  }

  async function save() {
    const now = await edit.save();
    if (now) saved(id === null ? String(edit.value.name) : id);
  }

  return (
    <form
      className="card"
      onSubmit={(event) => {
        event.preventDefault();
        event.stopPropagation(); // the form may be in a dialog of another form
        void save();
      }}
    >
      <ObjectForm edit={edit} fields={fields} isNew={id === null} disabled={!mayChange} before={id === null && <Presets change={edit.change} value={edit.value} />} />
      {tried && <Notice kind={tried.good ? "good" : "bad"}>{tried.text}</Notice>}
      <div className="answers">
        {mayChange && (
          <button type="button" onClick={() => void test()}>
            {t.connectors.test}
          </button>
        )}
        <button type="button" onClick={cancel}>
          {t.edit.cancel}
        </button>
        {mayChange && (
          <button className="primary" disabled={edit.busy || (id !== null && !edit.dirty)}>
            {id === null ? t.edit.create : t.edit.save}
          </button>
        )}
      </div>
      <ConflictDialog edit={edit} />
    </form>
  );
}

function named(id: string): Value {
  const [type, ...name] = id.split(":");
  return { type, name: name.join(":") };
}

function Presets({ value, change }: { value: Value; change: (value: Value) => void }) {
  return (
    <div className="field">
      <span className="dim">{t.connectors.presetSay}</span>
      <div className="tools" role="group" aria-label={t.connectors.preset}>
        {PRESETS.map(({ name, settings }) => (
          <button type="button" key={name} onClick={() => change({ ...value, ...settings })}>
            {name}
          </button>
        ))}
      </div>
    </div>
  );
}
