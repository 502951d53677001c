// The schemas: the list, and the page of one.
import { useState } from "react";
import type { Schema } from "../../api/objects";
import { useMayChange } from "../../api/session";
import { useList, useRemoval } from "../../api/use_objects";
import { DeleteDialog } from "../../parts/delete_dialog";
import { Menu } from "../../parts/menu";
import { Notice } from "../../parts/notice";
import { type Column, Table } from "../../parts/table";
import { When } from "../../parts/when";
import { type Route, to } from "../../route";
import { t } from "../../texts";
import { SchemaForm } from "./form";

const PAGE = "schema_registry";

export default function Schemas({ rest: [id], query }: Route) {
  if (id === undefined) return <List />;
  const copyOf = query.get("copy");
  return id === "new" ? <SchemaForm key={`copy ${copyOf}`} id={null} copyOf={copyOf} /> : <SchemaForm key={id} id={id} copyOf={null} />;
}

function List() {
  const { data = [], error, isPending } = useList(PAGE);
  const remove = useRemoval(PAGE);
  const mayChange = useMayChange();
  const [doomed, setDoomed] = useState<Schema | null>(null);
  const columns: Column<Schema>[] = [
    {
      name: t.columns.name,
      width: "minmax(0, 2fr)",
      order: (row) => row.name,
      cell: (row) => (
        <a href={to(PAGE, row.name)} title={row.name}>
          {row.name}
        </a>
      ),
    },
    { name: t.schemas.type, width: "minmax(0, 1fr)", order: (row) => row.type, cell: (row) => t.schemas.types[row.type] ?? row.type },
    { name: t.columns.changed, width: "minmax(0, 1fr)", phone: false, order: (row) => -row.last_modified_at, cell: (row) => row.last_modified_at > 0 && <When ms={row.last_modified_at} /> },
  ];
  if (mayChange) {
    columns.push({
      name: "",
      width: "44px",
      cell: (row) => (
        <Menu label={t.table.more(row.name)}>
          <a href={to(PAGE, row.name)}>{t.edit.settings}</a>
          <a href={`${to(PAGE, "new")}?copy=${encodeURIComponent(row.name)}`}>{t.edit.duplicate}</a>
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
        <h1>{t.pages.schema_registry}</h1>
        {mayChange && (
          <a className="button primary" href={to(PAGE, "new")}>
            {t.schemas.create}
          </a>
        )}
      </div>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {isPending ? (
        <p className="dim">{t.loading}</p>
      ) : (
        <Table label={t.pages.schema_registry} rows={data} columns={columns} id={(row) => row.name} words={(row) => `${row.name} ${row.type} ${row.source}`} empty={<p>{t.schemas.none}</p>} />
      )}
      {doomed && <DeleteDialog name={doomed.name} close={() => setDoomed(null)} remove={() => remove(doomed.name)} />}
    </section>
  );
}
