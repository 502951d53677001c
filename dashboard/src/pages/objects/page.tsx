// What was written: the folders and objects of an action, and one of them with its rows and its place in the ledger.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { listObjects, queryOf, type Where } from "../../api/evidence";
import { idOf } from "../../api/objects";
import { useList } from "../../api/use_objects";
import { ActionChoice } from "../../parts/action_choice";
import { Notice } from "../../parts/notice";
import { When } from "../../parts/when";
import { go, type Route, to } from "../../route";
import { t } from "../../texts";
import { bytes } from "../../words";
import { OneObject } from "./one";
import "../../parts/job.css";

type Place = { prefix: string | null; key?: string | null; bucket?: string };

/** The address of a place in the objects of an action. */
const at = (action: string, { prefix, key = null, bucket = "" }: Place) => {
  const given = queryOf({ key, bucket });
  const folder = prefix === null ? "" : `prefix=${encodeURIComponent(prefix)}`;
  const query = [folder, given].filter(Boolean).join("&");
  return to("objects", action) + (query ? `?${query}` : "");
};

export default function Objects({ rest: [action = ""], query }: Route) {
  const { data = [] } = useList("actions");
  const template = String(data.find((each) => idOf("actions", each) === action)?.parameters.bucket ?? "");
  const bucket = query.get("bucket") ?? "";
  const asks = template.includes("${") && !bucket;
  const prefix = query.get("prefix");
  const key = query.get("key");
  return (
    <section className="page">
      <div>
        <h1>{t.pages.objects}</h1>
        <p className="dim">{t.objects.say}</p>
      </div>
      <ActionChoice value={action} change={(id) => go(at(id, { prefix: null }))} />
      {!action && <p className="empty">{t.objects.chooseAction}</p>}
      {action && asks && <BucketChoice action={action} template={template} />}
      {action && !asks && (
        <div className="browse">
          <Folder key={action + bucket + prefix} where={{ action, bucket }} prefix={prefix} chosen={key} />
          {key !== null ? (
            <OneObject key={key} where={{ action, bucket }} objectKey={key} close={() => go(at(action, { prefix, bucket }))} />
          ) : (
            <p className="dim">{t.objects.choose}</p>
          )}
        </div>
      )}
    </section>
  );
}

function BucketChoice({ action, template }: { action: string; template: string }) {
  const [name, setName] = useState("");
  return (
    <form
      className="field"
      onSubmit={(event) => {
        event.preventDefault();
        go(at(action, { prefix: null, bucket: name }));
      }}
    >
      <label htmlFor="bucket">{t.objects.bucket}</label>
      <p className="help">{t.objects.bucketSay(template)}</p>
      <div className="tools">
        <input id="bucket" required value={name} onChange={(event) => setName(event.target.value)} />
        <button>{t.objects.open}</button>
      </div>
    </form>
  );
}

function Folder({ where, prefix, chosen }: { where: Where; prefix: string | null; chosen: string | null }) {
  const listed = useInfiniteQuery({
    queryKey: ["objects", where, prefix],
    queryFn: ({ pageParam, signal }) => listObjects(where, prefix, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
  if (listed.error) return <Notice kind="bad">{listed.error.message}</Notice>;
  if (!listed.data) return <p className="dim">{t.loading}</p>;
  const pages = listed.data.pages;
  const here = pages[0]?.prefix ?? "";
  const folders = pages.flatMap((each) => each.folders);
  const objects = pages.flatMap((each) => each.objects);
  const address = (place: Place) => at(where.action, { ...place, bucket: where.bucket });
  return (
    <div className="card">
      <Path bucket={pages[0]?.bucket ?? ""} prefix={here} address={address} />
      {!folders.length && !objects.length && <p className="empty">{t.objects.empty}</p>}
      <ul className="things" aria-label={t.pages.objects}>
        {folders.map((each) => (
          <li key={each}>
            <a href={address({ prefix: each })}>
              <b>{each.slice(here.length)}</b>
              <small>{t.objects.folder}</small>
            </a>
          </li>
        ))}
        {objects.map((each) => (
          <li key={each.key}>
            <a href={address({ prefix: here, key: each.key })} aria-current={each.key === chosen ? "true" : undefined}>
              <span>{each.key.slice(here.length)}</span>
              <small>
                {bytes(each.size)} · <When ms={Date.parse(each.modified)} />
              </small>
            </a>
          </li>
        ))}
      </ul>
      {listed.hasNextPage && (
        <p>
          <button type="button" disabled={listed.isFetching} onClick={() => void listed.fetchNextPage()}>
            {t.objects.more}
          </button>
        </p>
      )}
    </div>
  );
}

function Path({ bucket, prefix, address }: { bucket: string; prefix: string; address: (place: Place) => string }) {
  const steps = prefix.split("/").filter((_, n, all) => n < all.length - 1);
  return (
    <nav className="path" aria-label={t.objects.path}>
      <a href={address({ prefix: "" })} title={t.objects.root}>
        {bucket}
      </a>
      {steps.map((each, n) => (
        <span key={n}>
          {" / "}
          <a href={address({ prefix: `${steps.slice(0, n + 1).join("/")}/` })} aria-current={n === steps.length - 1 ? "location" : undefined}>
            {each}
          </a>
        </span>
      ))}
    </nav>
  );
}
