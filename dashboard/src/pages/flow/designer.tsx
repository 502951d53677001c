// A flow drawn by hand: sources, fields, a filter and sinks, joined by edges; saved as an ordinary rule.
import { applyNodeChanges, Background, type Connection, Controls, Handle, type Node, type NodeChange, type NodeProps, Position, ReactFlow, ReactFlowProvider, useReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { createContext, type DragEvent, memo, useContext, useEffect, useId, useRef, useState } from "react";
import { named } from "../../api/objects";
import { useMayChange } from "../../api/session";
import { ConflictDialog } from "../../parts/conflict";
import { Dialog } from "../../parts/dialog";
import { type Over, useEdit } from "../../parts/edit";
import { NotYet } from "../../parts/not_yet";
import { Notice } from "../../parts/notice";
import { leaveFor, to } from "../../route";
import { t } from "../../texts";
import { placeOf } from "../../texts/settings";
import { useNarrow } from "../../theme";
import { Trial, useTrial } from "../rules/trial";
import { canvasKeys, Panel } from "./canvas_keys";
import { type Draft, draftOf, EMPTY, arranged, joins, type Lack, meaningOf, type Step, withEdge, withNext, without, withStep } from "./draft";
import { SIZE } from "./graph";
import type { Way } from "./neighbour";
import { Joins, StepForm, summary } from "./steps";

type StepNode = Node<{ step: Step }>;
const UNDO_MAX = 100;
const NEAR_PX = 10;
const FAR_PX = 100;
const STEPS: Step["kind"][] = ["source", "fields", "filter", "sink"];
const TYPE = "application/x-tidegate-step";
const FIT = { maxZoom: 1, padding: { top: "72px", right: "24px", bottom: "24px", left: "24px" } } as const; // below the buttons of the steps
const AFAR = { LR: { x: 260, y: 90 }, TB: { x: 220, y: 90 } } as const; // between the beginnings of two steps

export function Designer({ id }: { id: string | null }) {
  return (
    <ReactFlowProvider>
      <Drawing id={id} />
    </ReactFlowProvider>
  );
}

function Drawing({ id }: { id: string | null }) {
  const mayChange = useMayChange();
  const [blank] = useState(() => ({ id: "", sql: "", actions: [], description: "" }));
  const edit = useEdit("rules", id, blank, ["sql", "actions", "description", "enable"]);
  const { draft, change, undo, redo, begin, past, future } = useDraft();
  const direction = useNarrow() ? "TB" : "LR";
  const [trying, setTrying] = useState(false);
  const { fitView } = useReactFlow();
  const [drawn, setDrawn] = useState(id === null);
  const nameId = useId();
  useEffect(() => {
    if (drawn || !edit.ready) return;
    const stored = draftOf({ sql: String(edit.value.sql), actions: edit.value.actions as unknown[] }, direction);
    if (stored) begin(stored);
    setDrawn(true);
  });
  if (!edit.ready || !drawn) return <Page title={id ?? ""}><NotYet failed={edit.failed} /></Page>;
  if (id !== null && !draft.steps.length) {
    return (
      <Page title={id}>
        <Notice kind="warn">{t.flow.unfit}</Notice>
        <p>
          <a className="button" href={to("rules", id)}>
            {t.flow.editor}
          </a>
        </p>
      </Page>
    );
  }
  const meaning = meaningOf(draft);
  const draw = (now: Draft) => {
    change(now);
    const { sql, actions } = meaningOf(now);
    edit.change({ ...edit.value, sql, actions });
  };
  const step = (move: () => Draft) => {
    const { sql, actions } = meaningOf(move());
    edit.change({ ...edit.value, sql, actions });
  };
  const arrange = () => {
    draw(arranged(draft, direction));
    requestAnimationFrame(() => void fitView(FIT)); // when the steps are at their new places
  };
  async function save(over?: Over) {
    if (await edit.save(over)) leaveFor(to("flow"));
  }
  return (
    <section
      className="page wide"
      onKeyDown={(event) => {
        if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || inText(event.target)) return;
        event.preventDefault();
        step(event.shiftKey ? redo : undo);
      }}
    >
      <div className="heading">
        <h1>{id ?? t.flow.draw}</h1>
        {mayChange && (
          <>
            <button type="button" onClick={() => step(undo)} aria-disabled={!past}>
              {t.flow.undo}
            </button>
            <button type="button" onClick={() => step(redo)} aria-disabled={!future}>
              {t.flow.redo}
            </button>
            <button type="button" onClick={arrange}>
              {t.flow.arrange}
            </button>
          </>
        )}
        <button type="button" onClick={() => setTrying(true)} disabled={meaning.lacks.length > 0}>
          {t.rules.tryOn}
        </button>
        <a className="button" href={to("flow")}>
          {t.edit.cancel}
        </a>
        {mayChange && (
          <button type="button" className="primary" disabled={edit.busy || meaning.lacks.length > 0 || (id === null ? !edit.value.id : !edit.dirty)} onClick={() => void save()}>
            {id === null ? t.edit.create : t.edit.save}
          </button>
        )}
      </div>
      <div className="named">
        {id === null && (
          <div className="field">
            <label htmlFor={nameId}>{t.rules.id}</label>
            <input id={nameId} value={String(edit.value.id)} disabled={!mayChange} autoComplete="off" onChange={(event) => edit.change({ ...edit.value, id: event.target.value })} />
          </div>
        )}
        <div className="field">
          <label htmlFor={`${nameId}-note`}>{t.rules.note}</label>
          <input id={`${nameId}-note`} value={String(edit.value.description ?? "")} disabled={!mayChange} onChange={(event) => edit.change({ ...edit.value, description: event.target.value })} />
        </div>
      </div>
      {edit.trouble && <Notice kind="bad">{edit.trouble}</Notice>}
      {edit.problems.map(({ path, reason }) => path && <Notice kind="bad" key={path + reason}>{`${t.rules.settings[path] ?? placeOf(path)}: ${reason}`}</Notice>)}
      {meaning.lacks.length > 0 && <Notice kind="warn">{meaning.lacks.map(said).join(" ")}</Notice>}
      <Draw draft={draft} draw={draw} mayChange={mayChange} />
      <details>
        <summary>{t.rules.sql}</summary>
        <pre>{meaning.sql}</pre>
      </details>
      {trying && <Tried sql={meaning.sql} actions={meaning.actions.map(named)} close={() => setTrying(false)} />}
      <ConflictDialog edit={edit} save={save} labels={t.rules.settings} />
    </section>
  );
}

function Tried({ sql, actions, close }: { sql: string; actions: readonly string[]; close: () => void }) {
  const trial = useTrial(sql, actions);
  return (
    <Dialog title={t.rules.tryOn} close={close} wide>
      <Trial of={trial} />
    </Dialog>
  );
}

function Page({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section className="page">
      <h1>{title}</h1>
      {children}
    </section>
  );
}

function said(lack: Lack): string {
  return "step" in lack ? t.flow.lacks[lack.what](t.flow.named(t.flow.steps[lack.step.kind] ?? "", summary(lack.step))) : t.flow.lacks[lack.what]();
}

/** Undo inside an input belongs to the input. */
function inText(target: EventTarget): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

/** The draft with its past and its future. A move returns where it leads. */
function useDraft() {
  const [{ past, draft, future }, set] = useState<{ past: Draft[]; draft: Draft; future: Draft[] }>({ past: [], draft: EMPTY, future: [] });
  return {
    draft,
    past: past.length > 0,
    future: future.length > 0,
    begin: (now: Draft) => set({ past: [], draft: now, future: [] }),
    change: (now: Draft) => set({ past: [...past, draft].slice(-UNDO_MAX), draft: now, future: [] }),
    undo: () => {
      const before = past.at(-1) ?? draft;
      if (past.length) set({ past: past.slice(0, -1), draft: before, future: [draft, ...future] });
      return before;
    },
    redo: () => {
      const [after = draft, ...rest] = future;
      if (future.length) set({ past: [...past, draft], draft: after, future: rest });
      return after;
    },
  };
}

type DrawProps = { draft: Draft; draw: (now: Draft) => void; mayChange: boolean };

function Draw({ draft, draw, mayChange }: DrawProps) {
  const [chosen, setChosen] = useState<string | null>(null);
  const [moving, setMoving] = useState<StepNode[] | null>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const { screenToFlowPosition, fitView } = useReactFlow();
  const narrow = useNarrow();
  const nodes: StepNode[] = moving ?? draft.steps.map((step) => ({ id: step.id, type: "step", position: { x: step.x, y: step.y }, data: { step }, ...SIZE, selected: step.id === chosen, ariaLabel: `${t.flow.steps[step.kind]} ${summary(step)}` }));
  const edges = draft.edges.map(({ from, to: into }) => ({ id: `${from}→${into}`, source: from, target: into }));
  const add = (kind: Step["kind"], at?: { x: number; y: number }) => {
    const [along, beside] = [STEPS.indexOf(kind), draft.steps.filter((each) => each.kind === kind).length];
    const place = narrow ? { x: beside * AFAR.TB.x, y: along * AFAR.TB.y } : { x: along * AFAR.LR.x, y: beside * AFAR.LR.y };
    const step = { ...beginning(kind), id: `${kind}-${Date.now().toString(36)}`, ...(at ?? place) } as Step;
    draw(at ? withStep(draft, step) : withNext(draft, step)); // whoever drops one somewhere means a place of its own
    setChosen(step.id);
    if (!at) requestAnimationFrame(() => requestAnimationFrame(() => void fitView(besidePanel(canvas.current)))); // when the panel is there
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    const kind = event.dataTransfer.getData(TYPE) as Step["kind"];
    if (STEPS.includes(kind)) add(kind, screenToFlowPosition({ x: event.clientX, y: event.clientY }));
  };
  const moved = (changes: NodeChange<StepNode>[]) => {
    const positions = changes.filter((each) => each.type === "position");
    if (!positions.length || !mayChange) return;
    const now = applyNodeChanges(positions, nodes);
    if (positions.some((each) => each.type === "position" && each.dragging)) return setMoving(now);
    setMoving(null);
    draw({ ...draft, steps: draft.steps.map((step) => ({ ...step, ...now.find(({ id }) => id === step.id)?.position })) });
  };
  const push = (id: string, way: Way, far: boolean) => {
    if (!mayChange) return;
    const by = far ? FAR_PX : NEAR_PX;
    const [x, y] = { left: [-by, 0], right: [by, 0], up: [0, -by], down: [0, by] }[way] as [number, number];
    draw({ ...draft, steps: draft.steps.map((each) => (each.id === id ? { ...each, x: each.x + x, y: each.y + y } : each)) });
  };
  const remove = (id: string) => {
    if (!mayChange) return;
    draw(without(draft, [id]));
    setChosen(null);
    canvas.current?.focus(); // so that the next key can bring it back
  };
  const step = draft.steps.find(({ id }) => id === chosen);
  return (
    <div className="canvas" tabIndex={-1} ref={canvas} onDragOver={(event) => event.preventDefault()} onDrop={drop} onKeyDown={canvasKeys({ open: setChosen, arrow: push, remove })}>
      {mayChange && (
        <div className="palette" role="toolbar" aria-label={t.flow.add}>
          {STEPS.map((kind) => (
            <button type="button" key={kind} draggable onDragStart={(event) => event.dataTransfer.setData(TYPE, kind)} onClick={() => add(kind)}>
              + {t.flow.steps[kind]}
            </button>
          ))}
        </div>
      )}
      <Joined.Provider value={draft}>
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={NODES}
          nodesDraggable={mayChange}
          nodesConnectable={mayChange}
          edgesFocusable={false}
          onNodesChange={moved}
          onNodesDelete={(gone) => mayChange && draw(without(draft, gone.map(({ id }) => id)))}
          onEdgesDelete={(gone) => mayChange && draw(without(draft, [], gone.map(({ source, target }) => ({ from: source, to: target }))))}
          onConnect={({ source, target }: Connection) => draw(withEdge(draft, { from: source, to: target }))}
          isValidConnection={({ source, target }) => joins(draft, source, target)}
          onNodeClick={(_, node) => setChosen(node.id)}
          onPaneClick={() => setChosen(null)}
          disableKeyboardA11y
          fitView={draft.steps.length > 0}
          fitViewOptions={FIT}
          minZoom={0.2}
          aria-label={t.flow.draw}
        >
          <Background />
          <Controls showInteractive={false} />
        </ReactFlow>
      </Joined.Provider>
      {step && (
        <Panel id={step.id} label={t.flow.steps[step.kind] ?? ""} title={t.flow.steps[step.kind]} close={(then) => {
            setChosen(null);
            then();
          }}>
          <StepForm key={step.id} step={step} sql={meaningOf(draft).sql} change={(now) => draw(withStep(draft, now))} disabled={!mayChange} />
          {mayChange && (
            <>
              <Joins draft={draft} step={step} draw={draw} />
              <button
                type="button"
                className="danger"
                onClick={() => remove(step.id)}
              >
                {t.edit.delete}
              </button>
            </>
          )}
        </Panel>
      )}
    </div>
  );
}

/** How all steps are seen while a panel covers the right of the canvas, or its lower part. */
function besidePanel(canvas: HTMLElement | null): typeof FIT | { maxZoom: number; padding: Record<keyof typeof FIT.padding, `${number}px`> } {
  const panel = canvas?.querySelector<HTMLElement>(".panel");
  if (!canvas || !panel) return FIT;
  const below = panel.offsetLeft === 0;
  return { ...FIT, padding: { ...FIT.padding, ...(below ? { bottom: `${panel.offsetHeight + 8}px` } : { right: `${panel.offsetWidth + 24}px` }) } };
}

const Joined = createContext<Draft>(EMPTY);

const StepBox = memo(({ data: { step }, selected }: NodeProps<StepNode>) => {
  const draft = useContext(Joined);
  const narrow = useNarrow();
  const loose = !draft.edges.some(({ from, to: into }) => from === step.id || into === step.id);
  return (
    <div className="part" data-kind={step.kind} data-selected={selected || undefined} data-off={loose || undefined}>
      {step.kind !== "source" && <Handle type="target" position={narrow ? Position.Top : Position.Left} />}
      <small>{t.flow.steps[step.kind]}</small>
      <span>{summary(step)}</span>
      {step.kind !== "sink" && <Handle type="source" position={narrow ? Position.Bottom : Position.Right} />}
    </div>
  );
});
const NODES = { step: StepBox };

function beginning(kind: Step["kind"]) {
  switch (kind) {
    case "source":
      return { kind, topic: "t/#" };
    case "fields":
      return { kind, fields: [{ expression: "payload", name: "" }] };
    case "filter":
      return { kind, condition: "qos >= 0" };
    case "sink":
      return { kind, action: "" };
  }
}
