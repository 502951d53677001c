// The filter of a list by status: what is not connected, for one.
import { useState } from "react";
import { t } from "../texts";
import type { Filter } from "./table";

export function useStatusFilter(): Filter<{ status: string }> {
  const [wanted, setWanted] = useState("");
  return {
    tools: (
      <select aria-label={t.columns.status} value={wanted} onChange={(event) => setWanted(event.target.value)}>
        <option value="">{t.table.anyStatus}</option>
        {STATUSES.map((each) => (
          <option key={each} value={each}>
            {t.status[each]}
          </option>
        ))}
      </select>
    ),
    keep: (row) => !wanted || row.status === wanted,
    clear: () => setWanted(""),
  };
}

const STATUSES = ["connected", "connecting", "disconnected", "inconsistent", "stopped"];
