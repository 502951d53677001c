// The schemas: the list, and the page of one.
import { useState } from "react";
import type { Schema } from "../../api/objects";
import { useMayChange } from "../../api/session";
import { useList, useRemoval } from "../../api/use_objects";
import { DeleteDialog } from "../../parts/delete_dialog";
import { Listing } from "../../parts/listing";
import type { Column } from "../../parts/table";
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
  const list = useList(PAGE);
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
  return (
    <Listing
      page={PAGE}
      create={
        mayChange && (
          <a className="button primary" href={to(PAGE, "new")}>
            {t.schemas.create}
          </a>
        )
      }
      list={list}
      failed={list.error}
      columns={columns}
      name={(row) => row.name}
      words={(row) => `${row.name} ${row.type} ${row.source}`}
      menu={
        mayChange &&
        ((row) => (
          <>
            <a href={to(PAGE, row.name)}>{t.edit.settings}</a>
            <a href={`${to(PAGE, "new")}?copy=${encodeURIComponent(row.name)}`}>{t.edit.duplicate}</a>
            <button type="button" className="danger" onClick={() => setDoomed(row)}>
              {t.edit.delete}
            </button>
          </>
        ))
      }
      empty={<p>{t.schemas.none}</p>}
    >
      {doomed && <DeleteDialog name={doomed.name} close={() => setDoomed(null)} remove={() => remove(doomed.name)} />}
    </Listing>
  );
}
