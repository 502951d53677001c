// The list of the objects of one family: its columns, then a switch and a menu for each row, and the way to create one.
import { type ReactNode, useState } from "react";
import { type Family, idOf, type Objects } from "../api/objects";
import { useMayChange } from "../api/session";
import { dependantsOf, orphansOf, useList, useVerbs } from "../api/use_objects";
import { to } from "../route";
import { t } from "../texts";
import { useNarrow } from "../theme";
import { Badge, why } from "./badge";
import { DeleteDialog } from "./delete_dialog";
import { DisableDialog } from "./disable_dialog";
import { Listing } from "./listing";
import { Switch } from "./switch";
import type { Column, Filter } from "./table";
import { STATISTICS } from "./tabs";

type Props<F extends Family> = {
  family: F;
  columns: readonly Column<Objects[F]>[];
  name: (row: Objects[F]) => string;
  words: (row: Objects[F]) => string; // what the filter looks at
  note: (row: Objects[F]) => ReactNode; // below the name
  below?: (row: Objects[F]) => ReactNode; // what a phone shows there instead
  menu?: (row: Objects[F]) => ReactNode; // what the menu offers beside settings, duplicate and delete
  reconnects?: (row: Objects[F]) => boolean;
  users?: (row: Objects[F]) => readonly string[]; // what uses the object
  filter?: Filter<Objects[F]>;
};

export function ObjectList<F extends Family>({ family, columns, name, words, note, below, menu, reconnects = () => true, users = () => [], filter }: Props<F>) {
  const list = useList(family);
  const verbs = useVerbs(family);
  const mayChange = useMayChange();
  const narrow = useNarrow();
  const [resting, setResting] = useState<Objects[F] | null>(null);
  const [doomed, setDoomed] = useState<Objects[F] | null>(null);
  const id = (row: Objects[F]) => idOf(family, row);
  const all: Column<Objects[F]>[] = [
    {
      name: family === "rules" ? t.rules.id : t.columns.name,
      width: "minmax(0, 2fr)",
      order: name,
      cell: (row) => (
        <>
          <a href={to(family, id(row))} title={name(row)}>
            {name(row)}
          </a>
          <small>{narrow && below ? below(row) : note(row)}</small>
        </>
      ),
    },
    ...columns,
    {
      name: t.table.enabled,
      width: "64px",
      cell: (row) => (
        <Switch
          on={row.enable !== false}
          disabled={!mayChange}
          label={t.table.enable(name(row))}
          change={(on) => (on || !users(row).length ? verbs.enable.mutate({ id: id(row), on }) : setResting(row))}
        />
      ),
    },
  ];
  return (
    <Listing<Objects[F]>
      page={family}
      create={
        mayChange && (
          <a className="button primary" href={to(family, "new")}>
            {t[family].create}
          </a>
        )
      }
      list={list}
      failed={list.error ?? verbs.enable.error ?? verbs.start.error}
      columns={all}
      name={name}
      id={id}
      words={words}
      filter={filter}
      menu={
        mayChange &&
        ((row) => (
          <>
            <a href={to(family, id(row))}>{t.edit.settings}</a>
            <a href={to(family, id(row), STATISTICS)}>{t.statistics.title}</a>
            {reconnects(row) && isDown(row) && (
              <button type="button" onClick={() => verbs.start.mutate({ id: id(row) })}>
                {t.edit.reconnect}
              </button>
            )}
            <a href={`${to(family, "new")}?copy=${encodeURIComponent(id(row))}`}>{t.edit.duplicate}</a>
            {menu?.(row)}
            <button type="button" className="danger" onClick={() => setDoomed(row)}>
              {t.edit.delete}
            </button>
          </>
        ))
      }
      empty={<p>{t[family].none}</p>}
    >
      {resting && (
        <DisableDialog
          name={name(resting)}
          users={users(resting)}
          close={() => setResting(null)}
          disable={() => verbs.enable.mutate({ id: id(resting), on: false })}
        />
      )}
      {doomed && (
        <DeleteDialog
          name={name(doomed)}
          dependants={dependantsOf(family, doomed)}
          close={() => setDoomed(null)}
          orphans={orphansOf(family, doomed, list.data ?? [])}
          remove={(withDependants, also) => verbs.remove.mutateAsync({ id: id(doomed), withDependants, also })}
        />
      )}
    </Listing>
  );
}

/** Whether it should be connected and is not. A rule has no connection. */
function isDown(row: { enable?: unknown; status?: string }): boolean {
  return row.enable !== false && row.status !== undefined && row.status !== "connected";
}

/** How it stands, for the lists of those that are connected or not. */
export const standing = (row: Objects["connectors" | "actions" | "sources"]): ReactNode => <Badge status={row.status} reason={reasons(row)} />;

/** Why, in one line; or in a line for each process where several run it. */
function reasons({ status_reason, node_status = [] }: Objects["connectors" | "actions" | "sources"]): string {
  if (node_status.length < 2) return status_reason ?? "";
  return node_status.map((each) => `${each.node}: ${t.status[each.status] ?? each.status} ${why(each.status_reason)}`.trim()).join("\n");
}

/** The column of those that are connected or not. */
export const STATUS: Column<Objects["connectors" | "actions" | "sources"]> = {
  name: t.columns.status,
  width: "minmax(110px, 1fr)",
  phone: false,
  order: (row) => row.status,
  cell: standing,
};
