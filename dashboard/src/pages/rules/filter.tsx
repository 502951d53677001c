// The filters of the list of rules: by topic, and by whether a rule is enabled.
import { useState } from "react";
import type { Rule } from "../../api/objects";
import type { Filter } from "../../parts/table";
import { t } from "../../texts";
import { takes } from "./topic";

type Enabled = keyof typeof t.rules.enabled;

export function useFilter(): Filter<Rule> {
  const [topic, setTopic] = useState("");
  const [enabled, setEnabled] = useState<Enabled>("all");
  const wanted = topic.trim();
  const ofTopic = (row: Rule) => !wanted || (row.from ?? []).some((from) => takes(from, wanted) || takes(wanted, from));
  return {
    tools: (
      <>
        <input type="search" placeholder={t.rules.topic} aria-label={t.rules.topicSay} title={t.rules.topicSay} value={topic} onChange={(event) => setTopic(event.target.value)} />
        <select aria-label={t.table.enabled} value={enabled} onChange={(event) => setEnabled(event.target.value as Enabled)}>
          {Object.entries(t.rules.enabled).map(([each, name]) => (
            <option key={each} value={each}>
              {name}
            </option>
          ))}
        </select>
      </>
    ),
    keep: (row) => (enabled === "all" || (row.enable !== false) === (enabled === "on")) && ofTopic(row),
    clear: () => {
      setTopic("");
      setEnabled("all");
    },
  };
}
