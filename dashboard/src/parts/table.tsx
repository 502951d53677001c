// A list of things: filter, order, and only the rows that are on the screen, so that five thousand are as fast as five. To the keyboard
// it is one stop: arrow keys go from row to row, Tab through what can be done with one.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useMemo, useRef, useState } from "react";
import { t } from "../texts";
import { useRows } from "./rows";

export type Column<Row> = {
  name: string; // "" for the column of menus
  width: string; // of the grid: "2fr", "90px"
  cell: (row: Row) => ReactNode;
  order?: (row: Row) => string | number;
  phone?: boolean; // whether it stays at phone width
};

/** A filter of one list, beside the one that looks for words. */
export type Filter<Row> = { tools: ReactNode; keep: (row: Row) => boolean; clear: () => void };

type Props<Row> = {
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  id: (row: Row) => string;
  words: (row: Row) => string; // what the filter looks at
  filter?: Filter<Row> | undefined;
  tools?: ReactNode;
  empty: ReactNode; // what to do when there is nothing at all
};

const ROW_PX = 48;
const HEAD_PX = 42;
const LEAST_ROWS = 4; // are shown, however little room there is

export function Table<Row>({ label, rows, columns, id, words, filter, tools, empty }: Props<Row>) {
  const [wanted, setWanted] = useState("");
  const [order, setOrder] = useState<{ column: number; down: boolean } | null>(null);
  const shown = useMemo(() => {
    const lower = wanted.trim().toLowerCase();
    const kept = filter ? rows.filter(filter.keep) : rows;
    const found = lower ? kept.filter((row) => words(row).toLowerCase().includes(lower)) : [...kept];
    const by = order && columns[order.column]?.order;
    return by ? found.sort((a, b) => compared(by(a), by(b)) * (order.down ? -1 : 1)) : found;
  }, [rows, wanted, order, columns, words, filter]);
  const frame = useRef<HTMLDivElement>(null);
  const visible = useVirtualizer({ count: shown.length, getScrollElement: () => frame.current, estimateSize: () => ROW_PX, overscan: 8 });
  const rowKeys = useRows(frame, shown.length, visible.scrollToIndex);
  const grid = { gridTemplateColumns: columns.map((each) => each.width).join(" ") };
  const phoneGrid = { "--phone": columns.filter((each) => each.phone !== false).map((each) => each.width).join(" ") } as object;
  const cell = (column: Column<Row>) => (column.phone === false ? "cell no-phone" : "cell");
  if (!rows.length) return <div className="empty">{empty}</div>;
  return (
    <>
      <div className="tools">
        <input type="search" placeholder={t.table.filter} aria-label={t.table.filter} value={wanted} onChange={(event) => setWanted(event.target.value)} />
        <span className="dim" aria-live="polite">
          {t.table.shown(shown.length, rows.length)}
        </span>
        {filter?.tools}
        {tools}
      </div>
      <div className="table" role="grid" aria-label={label} aria-rowcount={shown.length + 1} style={{ ...phoneGrid, minHeight: Math.min(shown.length, LEAST_ROWS) * ROW_PX + HEAD_PX }}>
        <div className="row head" role="row" aria-rowindex={1} style={grid}>
          {columns.map((column, n) => {
            const mine = order?.column === n;
            const next = () => setOrder(mine && order.down ? null : { column: n, down: mine });
            return (
              <span key={column.name} role="columnheader" className={cell(column)} aria-sort={mine ? (order.down ? "descending" : "ascending") : undefined}>
                {column.order ? (
                  <button type="button" className="plain" onClick={next} aria-label={t.table.sort(column.name)}>
                    {column.name} <span aria-hidden>{mine ? (order.down ? "↓" : "↑") : ""}</span>
                  </button>
                ) : (
                  column.name || <span className="unseen">{t.table.verbs}</span>
                )}
              </span>
            );
          })}
        </div>
        <div className="scroll" ref={frame} tabIndex={0} role="rowgroup" aria-label={label} {...rowKeys}>
          <div style={{ height: visible.getTotalSize(), position: "relative" }} role="presentation">
            {visible.getVirtualItems().map((item) => {
              const row = shown[item.index] as Row;
              return (
                <div
                  key={id(row)}
                  className="row"
                  role="row"
                  aria-rowindex={item.index + 2}
                  style={{ ...grid, position: "absolute", top: 0, height: ROW_PX, transform: `translateY(${item.start}px)` }}
                >
                  {columns.map((column) => (
                    <span key={column.name} role="gridcell" className={cell(column)}>
                      {column.cell(row)}
                    </span>
                  ))}
                </div>
              );
            })}
          </div>
        </div>
      </div>
      {!shown.length && (
        <p className="empty">
          {t.table.none(wanted)}{" "}
          <button
            type="button"
            onClick={() => {
              setWanted("");
              filter?.clear();
            }}
          >
            {t.table.all}
          </button>
        </p>
      )}
    </>
  );
}

function compared(a: string | number, b: string | number): number {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
}
