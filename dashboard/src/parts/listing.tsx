// A page that is a list: its title, what creates one more, what went wrong, and the table with a menu in each row.
import type { ReactNode } from "react";
import type { Name } from "../pages";
import { t } from "../texts";
import { Menu } from "./menu";
import { Notice } from "./notice";
import { type Column, type Filter, Table } from "./table";

type Props<Row> = {
  page: Name;
  create: ReactNode; // what stands beside the title; nothing for those who may not change anything
  say?: string; // below the title
  list: { data?: readonly Row[] | undefined; isPending: boolean };
  failed: Error | null; // of the list, or of what was done with one of its rows
  columns: readonly Column<Row>[];
  name: (row: Row) => string; // in the words of the page
  id?: (row: Row) => string; // if its name is not enough
  words: (row: Row) => string; // what the filter looks at
  filter?: Filter<Row> | undefined;
  menu?: ((row: Row) => ReactNode) | false; // what else can be done with a row
  empty: ReactNode; // what to do when there is nothing at all
  children?: ReactNode; // dialogs
};

export function Listing<Row>({ page, create, say, list, failed, columns, name, id = name, words, filter, menu, empty, children }: Props<Row>) {
  const more: Column<Row>[] = menu ? [{ name: "", width: "44px", cell: (row) => <Menu label={t.table.more(name(row))}>{menu(row)}</Menu> }] : [];
  return (
    <section className="page">
      <div className="heading">
        <h1>{t.pages[page]}</h1>
        {create}
      </div>
      {say && <p className="dim">{say}</p>}
      {failed && <Notice kind="bad">{failed.message}</Notice>}
      {list.isPending ? (
        <p className="dim">{t.loading}</p>
      ) : (
        <Table label={t.pages[page]} rows={list.data ?? []} columns={[...columns, ...more]} id={id} words={words} filter={filter} empty={empty} />
      )}
      {children}
    </section>
  );
}
