// The shell: who is signed in, the list of pages, and the page of the address. Each page is loaded when it is visited.
import { useQueryClient } from "@tanstack/react-query";
import { Component, type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import { onSignedOut } from "./api/client";
import { useAway, useLive } from "./api/live";
import { type Session, signOut, useAskAgain, useStanding, Who } from "./api/session";
import { FIRST, GROUPS, type Name, PAGES } from "./pages";
import { Login } from "./pages/login";
import { Dialog } from "./parts/dialog";
import { Notice } from "./parts/notice";
import { go, to, useHeld, useRoute } from "./route";
import { t } from "./texts";
import { choose, type Theme, theme } from "./theme";

export function App() {
  const standing = useStanding();
  const queries = useQueryClient();
  const [ended, setEnded] = useState(false);
  useEffect(() => onSignedOut(() => setEnded(true)), []);
  if (standing.isPending) return <p className="door dim">{t.loading}</p>;
  const { session = null, first = false } = standing.data ?? {};
  if (!session) return <Login first={first} trouble={standing.error?.message ?? ""} />;
  return (
    <Who.Provider value={session}>
      <Shell session={session} />
      {ended && (
        // Over the page, not instead of it: what was typed there stays.
        <Dialog title={t.login.title} close={() => undefined}>
          <Login
            first={false}
            trouble={t.login.ended}
            name={session.username}
            done={() => {
              setEnded(false);
              void queries.invalidateQueries();
            }}
          />
        </Dialog>
      )}
    </Who.Provider>
  );
}

function Shell({ session }: { session: Session }) {
  const route = useRoute();
  const name = (route.page || FIRST) as Name;
  const Page = PAGES.get(name);
  const { held, stay, leave } = useHeld();
  const main = useRef<HTMLElement>(null);
  const place = [name, ...route.rest].join("/");
  const before = useRef(place);
  useEffect(() => {
    // On another page, the keyboard begins at its top.
    if (before.current !== place && !main.current?.contains(document.activeElement)) main.current?.focus({ preventScroll: true });
    before.current = place;
  }, [place]);
  useEffect(() => {
    document.title = Page ? `${t.pages[name]} · ${t.product}` : t.product;
  }, [name, Page]);
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={skip}>
        {t.skip}
      </a>
      <Side current={name} session={session} />
      <main className="main" id="main" tabIndex={-1} ref={main}>
        <Trouble />
        <Failure key={location.hash}>
          <Suspense fallback={<p className="page dim">{t.loading}</p>}>{Page ? <Page {...route} /> : <NotFound />}</Suspense>
        </Failure>
      </main>
      {held !== null && (
        <Dialog title={t.edit.leave} close={stay}>
          <p>{t.edit.leaveSay}</p>
          <div className="answers">
            <button type="button" onClick={leave}>
              {t.edit.leaveYes}
            </button>
            <button type="button" className="primary" autoFocus onClick={stay}>
              {t.edit.leaveNo}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

function skip(event: React.MouseEvent) {
  event.preventDefault(); // the address says which page it is
  document.getElementById("main")?.focus();
}

function Side({ current, session }: { current: Name; session: Session }) {
  const [open, setOpen] = useState(false);
  const [colours, setColours] = useState(theme);
  const askAgain = useAskAgain();
  const leave = async () => {
    await signOut(session.username).catch(() => undefined); // an ended session is signed out already
    await askAgain();
  };
  return (
    <header className="side" data-open={open || undefined}>
      <div className="brand">
        <img src="icon.svg" alt="" />
        {t.product}
        <button type="button" className="menu" aria-expanded={open} onClick={() => setOpen(!open)}>
          {t.menu}
        </button>
      </div>
      <nav aria-label={t.menu}>
        {GROUPS.map(([group, names]) => (
          <section key={group} aria-label={group}>
            <h2>{group}</h2>
            {names.map((each) => (
              <a key={each} href={to(each)} aria-current={each === current ? "page" : undefined} onClick={() => setOpen(false)}>
                {t.pages[each]}
              </a>
            ))}
          </section>
        ))}
      </nav>
      <div className="foot">
        <label>
          {t.theme.label}{" "}
          <select
            value={colours}
            onChange={(event) => {
              choose(event.target.value as Theme);
              setColours(theme());
            }}
          >
            <option value="system">{t.theme.system}</option>
            <option value="light">{t.theme.light}</option>
            <option value="dark">{t.theme.dark}</option>
          </select>
        </label>
        <div className="who">
          <a href={to("account")} className="dim" title={`${session.username} · ${session.role}`} aria-current={current === "account" ? "page" : undefined} onClick={() => setOpen(false)}>
            {session.username} <small>{session.role}</small>
          </a>
          <button type="button" onClick={() => void leave()}>
            {t.signOut}
          </button>
        </div>
      </div>
    </header>
  );
}

/** One line while the server or Kafka is away, wherever the user is. */
function Trouble() {
  const away = useAway();
  const trouble = useLive((live) => live?.trouble ?? "");
  const said = away ? t.unreachable : trouble && t.kafkaAway(trouble);
  return said ? (
    <p className="banner" role="status">
      {said}
    </p>
  ) : null;
}

function NotFound() {
  return (
    <section className="page">
      <h1>{t.notFound.title}</h1>
      <p>{t.notFound.say(location.hash)}</p>
      <p>
        <button type="button" onClick={() => go(to(FIRST))}>
          {t.notFound.back}
        </button>
      </p>
    </section>
  );
}

/** A fault of one page is shown on that page, and the others go on. */
class Failure extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <section className="page">
        <h1>{t.failed.title}</h1>
        <p>{t.failed.say}</p>
        <Notice kind="bad">{error.message}</Notice>
        <p>
          <button type="button" onClick={() => location.reload()}>
            {t.failed.again}
          </button>
        </p>
      </section>
    );
  }
}
