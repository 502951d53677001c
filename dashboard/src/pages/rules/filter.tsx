// The filters of the list of rules: by topic, and by whether a rule is enabled.
import { useState } from "react";
import type { Rule } from "../../api/objects";
import type { Filter } from "../../parts/table";
import { t } from "../../texts";
import { takes } from "./topic";

type Enabled = keyof typeof t.rules.enabled;
type How = keyof typeof t.rules.how;

/** Whether a topic filter of a rule is what is looked for. */
const FITS: Record<How, (from: string, wanted: string) => boolean> = {
  takes: (from, wanted) => takes(from, wanted) || takes(wanted, from),
  has: (from, wanted) => from.toLowerCase().includes(wanted.toLowerCase()),
  is: (from, wanted) => from === wanted,
};

export function useFilter(): Filter<Rule> {
  const [topic, setTopic] = useState("");
  const [how, setHow] = useState<How>("takes");
  const [enabled, setEnabled] = useState<Enabled>("all");
  const wanted = topic.trim();
  const ofTopic = (row: Rule) => !wanted || (row.from ?? []).some((from) => FITS[how](from, wanted));
  return {
    tools: (
      <>
        <select aria-label={t.rules.topicHow} value={how} onChange={(event) => setHow(event.target.value as How)}>
          {Object.entries(t.rules.how).map(([each, name]) => (
            <option key={each} value={each}>
              {`${t.rules.topic} ${name}`}
            </option>
          ))}
        </select>
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
      setHow("takes");
      setEnabled("all");
    },
  };
}
