// Records that could not be handled: find them, read one, try a mended rule on it, and send it again.
import { useId, useState } from "react";
import { type Letter, type LetterFilter, queryOf, textOfBytes, useLetters } from "../../api/evidence";
import { useMayChange } from "../../api/session";
import { ActionChoice } from "../../parts/action_choice";
import { Notice } from "../../parts/notice";
import { When } from "../../parts/when";
import { go, type Route, to } from "../../route";
import { t } from "../../texts";
import { count } from "../../words";
import { OneLetter } from "./one";
import { Redrive } from "./redrive";
import "../../parts/job.css";
import "./letters.css";

const HOUR_MS = 3_600_000;
const SINCE = { ever: 0, hour: HOUR_MS, day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS } as const;
type Since = keyof typeof SINCE;

/** What is looked for stands in the address, so that a search can be kept and sent to others. */
function filterOf(query: URLSearchParams): LetterFilter {
  const told = (name: "action" | "rule" | "cause" | "clientid") => (query.has(name) ? { [name]: query.get(name) ?? "" } : {});
  const since = Number(query.get("since"));
  const again = query.get("again") === "true";
  return { ...told("action"), ...told("rule"), ...told("cause"), ...told("clientid"), ...(since ? { since } : {}), ...(again ? { again } : {}) };
}

const at = (filter: LetterFilter, place?: string, page = 1) => {
  const query = queryOf({ ...filter, page: page > 1 ? page : undefined });
  return (place ? to("letters", place) : to("letters")) + (query ? `?${query}` : "");
};

export default function Letters({ rest: [place], query }: Route) {
  const filter = filterOf(query);
  const page = Math.max(1, Number(query.get("page")) || 1);
  const { data, error, isPending } = useLetters(filter, page);
  const mayChange = useMayChange();
  const [sending, setSending] = useState(false);
  const searched = Object.keys(filter).length > 0;
  const n = data?.meta.count ?? 0;
  return (
    <section className="page">
      <div className="heading">
        <h1>{t.pages.letters}</h1>
        {mayChange && n > 0 && (
          <button type="button" className="primary" onClick={() => setSending(true)}>
            {t.letters.sendAll(n)}
          </button>
        )}
      </div>
      <p className="dim">{t.letters.say}</p>
      <Search filter={filter} />
      {error && <Notice kind="bad">{error.message}</Notice>}
      {isPending && <p className="dim">{t.loading}</p>}
      {data && (
        <>
          {data.groups.length > 1 && <Groups groups={data.groups} filter={filter} />}
          {!n && (
            <p className="empty">
              {searched ? t.letters.noneOf : t.letters.none} {searched && <a href={at({})}>{t.letters.clear}</a>}
            </p>
          )}
        </>
      )}
      {(n > 0 || place) && (
        <div className="browse">
          <div className="card">
            <p className="number dim" aria-live="polite">
              {t.letters.found(n)}
            </p>
            <ul className="things" aria-label={t.pages.letters}>
              {data?.data.map((each) => (
                <Line key={each.place} letter={each} href={at(filter, each.place, page)} chosen={each.place === place} />
              ))}
            </ul>
            {(page > 1 || data?.meta.hasnext) && (
              <div className="answers">
                {page > 1 && (
                  <a className="button" href={at(filter, undefined, page - 1)}>
                    {t.letters.previous}
                  </a>
                )}
                <span className="dim">{t.letters.page(page)}</span>
                {data?.meta.hasnext && (
                  <a className="button" href={at(filter, undefined, page + 1)}>
                    {t.letters.next}
                  </a>
                )}
              </div>
            )}
          </div>
          {place ? <OneLetter key={place} place={place} close={() => go(at(filter, undefined, page))} /> : <p className="dim">{t.letters.choose}</p>}
        </div>
      )}
      {sending && <Redrive wish={filter} close={() => setSending(false)} />}
    </section>
  );
}

function Line({ letter, href, chosen }: { letter: Letter; href: string; chosen: boolean }) {
  const whose = letter.action ? t.letters.of(letter.action, letter.rule) : t.letters.ingress(letter.source);
  return (
    <li>
      <a href={href} aria-current={chosen ? "true" : undefined}>
        <span>
          <b>{whose}</b> {letter.cause}
          {letter.settled && <span className="tag">{t.letters.settled}</span>}
          {letter.copies > 1 && <span className="tag">{t.letters.copies(letter.copies)}</span>}
        </span>
        <small>
          <When ms={letter.arrived} />
        </small>
        <span className="error-line">{letter.error.split("\n", 1)[0]}</span>
        <small>{textOfBytes(letter.key).slice(0, 40)}</small>
      </a>
    </li>
  );
}

function Groups({ groups, filter }: { groups: { action: string; rule: string; cause: string; count: number }[]; filter: LetterFilter }) {
  return (
    <ul className="groups" aria-label={t.letters.groups}>
      {groups.map(({ action, rule, cause, count: many }) => (
        <li key={`${action}/${rule}/${cause}`}>
          <a className="button" href={at({ ...filter, action, ...(rule ? { rule } : {}), cause })}>
            <span>
              {t.letters.of(action, rule)}: {cause}
            </span>
            <b className="number">{count(many)}</b>
          </a>
        </li>
      ))}
    </ul>
  );
}

function Search({ filter }: { filter: LetterFilter }) {
  const [clientid, setClientid] = useState(filter.clientid ?? "");
  const ids = useId();
  const change = (changed: LetterFilter) => go(at({ ...filter, ...changed }));
  const { action: _, ...without } = filter;
  const since = (Object.keys(SINCE) as Since[]).find((each) => filter.since && Math.abs(Date.now() - filter.since - SINCE[each]) < SINCE[each] / 2) ?? "ever";
  return (
    <form
      className="letter-search"
      onSubmit={(event) => {
        event.preventDefault();
        const { clientid: __, ...others } = filter;
        go(at(clientid ? { ...others, clientid } : others));
      }}
    >
      <ActionChoice
        value={filter.action ? `s3:${filter.action.replace(/^s3:/, "")}` : ""}
        all={t.letters.all}
        change={(id) => go(at(id ? { ...without, action: id.replace(/^s3:/, "") } : without))}
      />
      <div className="choice">
        <label htmlFor={`${ids}-since`}>{t.letters.since}</label>
        <select
          id={`${ids}-since`}
          value={since}
          onChange={({ target }) => change({ since: target.value === "ever" ? 0 : Date.now() - SINCE[target.value as Since] })}
        >
          {(Object.keys(SINCE) as Since[]).map((each) => (
            <option key={each} value={each}>
              {t.letters[each]}
            </option>
          ))}
        </select>
      </div>
      <div className="choice">
        <label htmlFor={`${ids}-clientid`}>{t.letters.clientid}</label>
        <input id={`${ids}-clientid`} type="search" value={clientid} onChange={({ target }) => setClientid(target.value)} />
        <button>{t.letters.search}</button>
      </div>
      <label className="choice">
        <input type="checkbox" checked={filter.again === true} onChange={({ target }) => change({ again: target.checked })} />
        {t.letters.again}
      </label>
    </form>
  );
}
