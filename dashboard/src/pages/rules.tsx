// The rules: the list. The editor of one is loaded when it is opened.
import { lazy, useState } from "react";
import { idOf, type Rule } from "../api/objects";
import { useLive } from "../api/live";
import { useMayChange } from "../api/session";
import { useList, useVerbs } from "../api/use_objects";
import { DeleteDialog } from "../parts/delete_dialog";
import { Menu } from "../parts/menu";
import { Notice } from "../parts/notice";
import { Switch } from "../parts/switch";
import { type Column, Table } from "../parts/table";
import { to } from "../route";
import { t } from "../texts";

const RuleEditor = lazy(() => import("./rule_editor"));

export default function Rules({ id, query }: { id?: string | undefined; query: URLSearchParams }) {
  if (id === undefined) return <List />;
  return <RuleEditor key={id} id={id === "new" ? null : id} copyOf={query.get("copy")} action={query.get("action")} />;
}

/** Its own part of the tree, so that a new number draws one cell and not the list. */
function Rate({ id }: { id: string }) {
  return <span className="number">{useLive((live) => live?.rates[`rule/${id}`]?.toFixed(1) ?? "–")}</span>;
}

function List() {
  const { data = [], isPending, error } = useList("rules");
  const verbs = useVerbs("rules");
  const mayChange = useMayChange();
  const [doomed, setDoomed] = useState<Rule | null>(null);
  const columns: Column<Rule>[] = [
    {
      name: t.rules.id,
      width: "minmax(0, 2fr)",
      order: (row) => row.id,
      cell: (row) => (
        <>
          <a href={to("rules", row.id)}>{row.id}</a>
          <small>{row.description}</small>
        </>
      ),
    },
    { name: t.columns.from, width: "minmax(0, 2fr)", phone: false, order: (row) => row.from?.[0] ?? "", cell: (row) => <code title={row.sql}>{row.from?.join(", ")}</code> },
    { name: t.columns.actions, width: "minmax(0, 1fr)", phone: false, cell: (row) => row.actions.map(named).join(", ") },
    { name: t.columns.rate, width: "90px", cell: (row) => <Rate id={row.id} /> },
    {
      name: t.table.enabled,
      width: "80px",
      cell: (row) => (
        <Switch
          on={row.enable !== false}
          disabled={!mayChange}
          label={t.table.enable(row.id)}
          change={(on) => verbs.enable.mutate({ id: row.id, on })}
        />
      ),
    },
  ];
  if (mayChange) {
    columns.push({
      name: "",
      width: "44px",
      cell: (row) => (
        <Menu label={t.table.more(row.id)}>
          <a href={to("rules", row.id)}>{t.edit.settings}</a>
          <a href={to("flow", row.id)}>{t.flow.open}</a>
          <a href={`${to("rules", "new")}?copy=${encodeURIComponent(row.id)}`}>{t.edit.duplicate}</a>
          <button type="button" className="danger" onClick={() => setDoomed(row)}>
            {t.edit.delete}
          </button>
        </Menu>
      ),
    });
  }
  return (
    <section className="page">
      <div className="heading">
        <h1>{t.pages.rules}</h1>
        {mayChange && (
          <a className="button primary" href={to("rules", "new")}>
            {t.rules.create}
          </a>
        )}
      </div>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {verbs.enable.error && <Notice kind="bad">{verbs.enable.error.message}</Notice>}
      {isPending ? (
        <p className="dim">{t.loading}</p>
      ) : (
        <Table
          label={t.pages.rules}
          rows={data}
          columns={columns}
          id={(row) => row.id}
          words={(row) => `${row.id} ${row.description ?? ""} ${row.sql}`}
          empty={<p>{t.rules.none}</p>}
        />
      )}
      {doomed && (
        <DeleteDialog
          name={doomed.id}
          close={() => setDoomed(null)}
          remove={(withDependants) => verbs.remove.mutateAsync({ id: idOf("rules", doomed), withDependants })}
        />
      )}
    </section>
  );
}

/** An action of a rule is a name, or one of EMQX's functions, which has no effect here. */
export function named(action: unknown): string {
  return typeof action === "string" ? action : String((action as { function?: unknown }).function ?? "");
}
