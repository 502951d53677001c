// A flow drawn by hand: sources, fields, a filter and sinks, joined by edges; saved as an ordinary rule.
import { applyNodeChanges, Background, type Connection, Controls, Handle, type Node, type NodeChange, type NodeProps, Position, ReactFlow, ReactFlowProvider, useReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { createContext, type DragEvent, memo, useContext, useEffect, useId, useState } from "react";
import { useMayChange } from "../../api/session";
import { useEvents } from "../../api/trial";
import { useList } from "../../api/use_objects";
import { ConflictDialog } from "../../parts/conflict";
import { Dialog } from "../../parts/dialog";
import { useEdit } from "../../parts/edit";
import { Notice } from "../../parts/notice";
import { leaveFor, to } from "../../route";
import { t } from "../../texts";
import { ActionForm } from "../actions/form";
import { type Draft, draftOf, EMPTY, arranged, joins, meaningOf, type Step, withEdge, without, withStep } from "./draft";
import type { FieldPart } from "./statement";

type StepNode = Node<{ step: Step }>;
const UNDO_MAX = 100;
const STEPS: Step["kind"][] = ["source", "fields", "filter", "sink"];
const TYPE = "application/x-tidegate-step";

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
  const { draft, change, undo, redo, begin } = useDraft();
  const [drawn, setDrawn] = useState(id === null);
  const nameId = useId();
  useEffect(() => {
    if (drawn || !edit.ready) return;
    const stored = draftOf({ sql: String(edit.value.sql), actions: edit.value.actions as unknown[] });
    if (stored) begin(stored);
    setDrawn(true);
  });
  if (edit.failed) return <Page title={id ?? ""}><Notice kind="bad">{edit.failed.message}</Notice></Page>;
  if (!edit.ready || !drawn) return <Page title={id ?? ""}><p className="dim">{t.loading}</p></Page>;
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
  async function save() {
    if (await edit.save()) leaveFor(to("flow"));
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
        <button type="button" onClick={() => step(undo)} disabled={!mayChange}>
          {t.flow.undo}
        </button>
        <button type="button" onClick={() => step(redo)} disabled={!mayChange}>
          {t.flow.redo}
        </button>
        <button type="button" onClick={() => draw(arranged(draft))}>
          {t.flow.arrange}
        </button>
        <a className="button" href={to("flow")}>
          {t.edit.cancel}
        </a>
        {mayChange && (
          <button type="button" className="primary" disabled={edit.busy || meaning.lacks.length > 0 || !edit.value.id && id === null} onClick={() => void save()}>
            {id === null ? t.edit.create : t.edit.save}
          </button>
        )}
      </div>
      {id === null && (
        <div className="field">
          <label htmlFor={nameId}>{t.rules.id}</label>
          <input id={nameId} value={String(edit.value.id)} autoComplete="off" onChange={(event) => edit.change({ ...edit.value, id: event.target.value })} />
        </div>
      )}
      {edit.trouble && <Notice kind="bad">{edit.trouble}</Notice>}
      {edit.problems.map(({ path, reason }) => path && <Notice kind="bad" key={path + reason}>{`${path}: ${reason}`}</Notice>)}
      {meaning.lacks.length > 0 && <Notice kind="warn">{meaning.lacks.map((each) => t.flow.lacks[each]).join(" ")}</Notice>}
      <Draw draft={draft} draw={draw} mayChange={mayChange} />
      <details>
        <summary>{t.rules.sql}</summary>
        <pre>{meaning.sql}</pre>
      </details>
      <ConflictDialog edit={edit} />
    </section>
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

/** Undo inside an input belongs to the input. */
function inText(target: EventTarget): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

/** The draft with its past and its future. A move returns where it leads. */
function useDraft() {
  const [{ past, draft, future }, set] = useState<{ past: Draft[]; draft: Draft; future: Draft[] }>({ past: [], draft: EMPTY, future: [] });
  return {
    draft,
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
  const { screenToFlowPosition } = useReactFlow();
  const nodes: StepNode[] = moving ?? draft.steps.map((step) => ({ id: step.id, type: "step", position: { x: step.x, y: step.y }, data: { step }, selected: step.id === chosen, ariaLabel: `${t.flow.steps[step.kind]} ${summary(step)}` }));
  const edges = draft.edges.map(({ from, to: into }) => ({ id: `${from}→${into}`, source: from, target: into }));
  const add = (kind: Step["kind"], at?: { x: number; y: number }) => {
    const step = { ...beginning(kind), id: `${kind}-${Date.now().toString(36)}`, ...(at ?? { x: STEPS.indexOf(kind) * 260, y: draft.steps.filter((each) => each.kind === kind).length * 90 }) } as Step;
    draw(withStep(draft, step));
    setChosen(step.id);
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
  const step = draft.steps.find(({ id }) => id === chosen);
  return (
    <div className="canvas" onDragOver={(event) => event.preventDefault()} onDrop={drop}>
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
          onNodesChange={moved}
          onNodesDelete={(gone) => mayChange && draw(without(draft, gone.map(({ id }) => id)))}
          onEdgesDelete={(gone) => mayChange && draw(without(draft, [], gone.map(({ source, target }) => ({ from: source, to: target }))))}
          onConnect={({ source, target }: Connection) => draw(withEdge(draft, { from: source, to: target }))}
          isValidConnection={({ source, target }) => joins(draft, source, target)}
          onNodeClick={(_, node) => setChosen(node.id)}
          onPaneClick={() => setChosen(null)}
          fitView={draft.steps.length > 0}
          fitViewOptions={{ maxZoom: 1 }}
          aria-label={t.flow.draw}
        >
          <Background />
          <Controls showInteractive={false} />
        </ReactFlow>
      </Joined.Provider>
      {step && (
        <aside className="panel" aria-label={t.flow.steps[step.kind]}>
          <div className="heading">
            <h2>{t.flow.steps[step.kind]}</h2>
            <button type="button" aria-label={t.edit.close} onClick={() => setChosen(null)}>
              ×
            </button>
          </div>
          <StepForm key={step.id} step={step} change={(now) => draw(withStep(draft, now))} disabled={!mayChange} />
          {mayChange && (
            <>
              <Joins draft={draft} step={step} draw={draw} />
              <button
                type="button"
                className="danger"
                onClick={() => {
                  draw(without(draft, [step.id]));
                  setChosen(null);
                }}
              >
                {t.edit.delete}
              </button>
            </>
          )}
        </aside>
      )}
    </div>
  );
}

const Joined = createContext<Draft>(EMPTY);

const StepBox = memo(({ data: { step }, selected }: NodeProps<StepNode>) => {
  const draft = useContext(Joined);
  const loose = !draft.edges.some(({ from, to: into }) => from === step.id || into === step.id);
  return (
    <div className="part" data-kind={step.kind} data-selected={selected || undefined} data-off={loose || undefined}>
      {step.kind !== "source" && <Handle type="target" position={Position.Left} />}
      <small>{t.flow.steps[step.kind]}</small>
      <span>{summary(step)}</span>
      {step.kind !== "sink" && <Handle type="source" position={Position.Right} />}
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

function summary(step: Step): string {
  switch (step.kind) {
    case "source":
      return step.topic || "–";
    case "fields":
      return step.fields.map(({ expression, name }) => name || expression).join(", ");
    case "filter":
      return step.condition || "–";
    case "sink":
      return step.action || "–";
  }
}

type StepProps = { step: Step; change: (now: Step) => void; disabled: boolean };

function StepForm({ step, change, disabled }: StepProps) {
  const id = useId();
  const { data: events = [] } = useEvents();
  switch (step.kind) {
    case "source":
      return (
        <div className="field">
          <label htmlFor={id}>{t.flow.topic}</label>
          <input id={id} className="code" list={`${id}-events`} value={step.topic} disabled={disabled} onChange={(event) => change({ ...step, topic: event.target.value })} />
          <datalist id={`${id}-events`}>
            {events
              .filter((each) => each.event.startsWith("$events/"))
              .map((each) => (
                <option key={each.event}>{each.event}</option>
              ))}
          </datalist>
        </div>
      );
    case "fields":
      return <FieldList fields={step.fields} change={(fields) => change({ ...step, fields })} disabled={disabled} />;
    case "filter":
      return (
        <div className="field">
          <label htmlFor={id}>{t.flow.condition}</label>
          <textarea id={id} className="code" rows={4} value={step.condition} disabled={disabled} onChange={(event) => change({ ...step, condition: event.target.value })} />
        </div>
      );
    case "sink":
      return <SinkChoice action={step.action} change={(action) => change({ ...step, action })} disabled={disabled} />;
  }
}

/** Joins by keyboard and for those who do not drag: one box a step that may follow. */
function Joins({ draft, step, draw }: { draft: Draft; step: Step; draw: (now: Draft) => void }) {
  const others = draft.steps.filter((each) => joins(draft, step.id, each.id) || draft.edges.some(({ from, to: into }) => from === step.id && into === each.id));
  if (!others.length) return null;
  return (
    <fieldset className="fieldset">
      <legend>{t.flow.goesTo}</legend>
      {others.map((each) => {
        const edge = { from: step.id, to: each.id };
        const on = draft.edges.some(({ from, to: into }) => from === edge.from && into === edge.to);
        return (
          <label key={each.id}>
            <input type="checkbox" checked={on} onChange={() => draw(on ? without(draft, [], [edge]) : withEdge(draft, edge))} /> {t.flow.steps[each.kind]} {summary(each)}
          </label>
        );
      })}
    </fieldset>
  );
}

function FieldList({ fields, change, disabled }: { fields: FieldPart[]; change: (now: FieldPart[]) => void; disabled: boolean }) {
  const replace = (n: number, now: FieldPart) => change(fields.map((each, m) => (m === n ? now : each)));
  return (
    <div className="pairs">
      {fields.map((field, n) => (
        <div key={n}>
          <input className="code" aria-label={t.flow.expression} value={field.expression} disabled={disabled} onChange={(event) => replace(n, { ...field, expression: event.target.value })} />
          <input className="code" aria-label={t.flow.alias} placeholder={t.flow.alias} value={field.name} disabled={disabled} onChange={(event) => replace(n, { ...field, name: event.target.value })} />
          <button type="button" aria-label={t.form.remove(field.name || field.expression)} disabled={disabled || fields.length === 1} onClick={() => change(fields.filter((_, m) => m !== n))}>
            ×
          </button>
        </div>
      ))}
      <button type="button" disabled={disabled} onClick={() => change([...fields, { expression: "", name: "" }])}>
        {t.form.add}
      </button>
    </div>
  );
}

function SinkChoice({ action, change, disabled }: { action: string; change: (now: string) => void; disabled: boolean }) {
  const { data = [] } = useList("actions");
  const [making, setMaking] = useState(false);
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{t.columns.actions}</label>
      <select id={id} value={action} disabled={disabled} onChange={(event) => change(event.target.value)}>
        <option value="">{t.form.choose}</option>
        {data.map((each) => (
          <option key={each.name}>{`${each.type}:${each.name}`}</option>
        ))}
      </select>
      {!disabled && (
        <button type="button" onClick={() => setMaking(true)}>
          {t.rules.newAction}
        </button>
      )}
      {making && (
        <Dialog title={t.rules.newAction} close={() => setMaking(false)} wide>
          <ActionForm
            id={null}
            cancel={() => setMaking(false)}
            saved={(name) => {
              change(`s3:${name}`);
              setMaking(false);
            }}
          />
        </Dialog>
      )}
    </div>
  );
}
