// The parts of one object's page: its settings, and what it has done.
import type { Family } from "../api/objects";
import { t } from "../texts";
import { to } from "../route";

type Props = { family: Family; id: string; on: "settings" | "statistics" };

export const STATISTICS = "statistics";

export function Tabs({ family, id, on }: Props) {
  return (
    <nav className="tabs" aria-label={id}>
      <a href={to(family, id)} aria-current={on === "settings" ? "page" : undefined}>
        {t.edit.settings}
      </a>
      <a href={to(family, id, STATISTICS)} aria-current={on === "statistics" ? "page" : undefined}>
        {t.statistics.title}
      </a>
    </nav>
  );
}
