// The pipeline as it runs: every rule with what feeds it and what it feeds, live rates on the edges, the status on the nodes.
import { Background, BaseEdge, Controls, EdgeLabelRenderer, type EdgeProps, getBezierPath, Handle, MiniMap, type Node, type NodeProps, Position, ReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { memo, useEffect, useMemo, useState } from "react";
import { useLive } from "../../api/live";
import { useMetrics, usePartitions } from "../../api/metrics";
import { type Action, idOf, type Rule } from "../../api/objects";
import { useMayChange } from "../../api/session";
import { useList } from "../../api/use_objects";
import { Badge } from "../../parts/badge";
import { Notice } from "../../parts/notice";
import { Partitions as LogPartitions } from "../../parts/statistics/partitions";
import { STATISTICS } from "../../parts/tabs";
import { InDialog, type Route, to, useGuard } from "../../route";
import { t } from "../../texts";
import { useNarrow } from "../../theme";
import { count } from "../../words";
import { ActionForm } from "../actions/form";
import RuleEditor from "../rules/rule_editor";
import { canvasKeys, focusPart, Panel } from "./canvas_keys";
import { Designer } from "./designer";
import { type Direction, graphOf, type Kind, type Link, type Part, SIZE } from "./graph";
import { neighbour } from "./neighbour";

type PartNode = Node<{ part: Part }>;
const READABLE = 0.5; // below that nobody can read a name: a large flow begins with its middle, and the small map leads on
const MANY = 8; // rules, of which a person looks for one

export default function Flow({ rest: [id] }: Route) {
  return id === undefined ? <Overview /> : <Designer key={id} id={id === "new" ? null : id} />;
}

function Overview() {
  const rules = useList("rules");
  const actions = useList("actions");
  const mayChange = useMayChange();
  const [chosen, setChosen] = useState<Part | null>(null);
  const { unsaved, leave } = useGuard();
  const choose = (part: Part | null, then?: () => void) =>
    leave(() => {
      setChosen(part);
      then?.();
    });
  const shape = JSON.stringify([rules.data?.map((rule) => [rule.id, rule.from, rule.actions, rule.enable]), actions.data?.map((each) => [each.name, each.connector, each.parameters.bucket, each.enable])]);
  const direction = useNarrow() ? "TB" : "LR";
  const [wanted, setWanted] = useState("");
  const { parts, nodes: all, edges } = useMemo(() => drawn(...found(rules.data ?? [], actions.data ?? [], wanted), direction), [shape, direction, wanted]);
  // To the keyboard the canvas is one stop, and arrow keys go on from there.
  const [at, setAt] = useState<string | null>(null);
  const first = all.reduce<PartNode | undefined>((best, node) => (best && fromStart(best) <= fromStart(node) ? best : node), undefined);
  const stop = all.some(({ id }) => id === at) ? at : first?.id;
  const nodes = useMemo(() => all.map((node) => ({ ...node, domAttributes: { tabIndex: node.id === stop ? 0 : -1 } })), [all, stop]);
  useEffect(() => {
    if (at !== null) focusPart(at);
  }, [at]);
  const step = (id: string | null) => id !== null && setAt(id);
  const back = (id: string, then?: () => void) => {
    setAt(id);
    then?.();
  };
  const error = rules.error ?? actions.error;
  return (
    <section className="page wide">
      <div className="heading">
        <h1>{t.pages.flow}</h1>
        {rules.data && rules.data.length > MANY && (
          <input type="search" className="find" placeholder={t.flow.find} aria-label={t.flow.find} value={wanted} onChange={(event) => setWanted(event.target.value)} />
        )}
        {mayChange && (
          <a className="button primary" href={to("flow", "new")}>
            {t.flow.draw}
          </a>
        )}
      </div>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {wanted && nodes.length === 0 && <p className="empty">{t.table.none(wanted)}</p>}
      {rules.data?.length === 0 && <p className="empty">{t.flow.none}</p>}
      {rules.data && actions.data && nodes.length > 0 && (
        <div className="canvas" onKeyDown={canvasKeys({ open: (id) => choose(parts.find((part) => part.id === id) ?? null), arrow: (id, way) => step(neighbour(parts, id, way)) })}>
          <ReactFlow
            key={direction + wanted}
            nodes={nodes}
            edges={edges}
            nodeTypes={NODES}
            edgeTypes={EDGES}
            nodesConnectable={false}
            edgesFocusable={false}
            disableKeyboardA11y
            onNodeClick={(_, node) => choose((node as PartNode).data.part)}
            onPaneClick={() => choose(null)}
            fitView
            fitViewOptions={{ maxZoom: 1, minZoom: READABLE, padding: 0.04 }}
            minZoom={0.15}
            aria-label={t.pages.flow}
          >
            <Background />
            <Controls showInteractive={false} />
            <MiniMap pannable zoomable ariaLabel={t.flow.map} />
          </ReactFlow>
          <InDialog.Provider value={unsaved}>{chosen && <Chosen part={chosen} close={(then) => choose(null, () => back(chosen.id, then))} />}</InDialog.Provider>
        </div>
      )}
    </section>
  );
}

const fromStart = ({ position }: PartNode): number => position.x + position.y;

/** The rules that have the words in their name or topics, with their actions; everything while there are no words. */
function found(rules: readonly Rule[], actions: readonly Action[], words: string): [readonly Rule[], readonly Action[]] {
  const lower = words.trim().toLowerCase();
  if (!lower) return [rules, actions];
  const kept = rules.filter((rule) => [rule.id, ...(rule.from ?? [])].some((each) => each.toLowerCase().includes(lower)));
  const fed = new Set(kept.flatMap((rule) => rule.actions));
  return [kept, actions.filter((action) => fed.has(idOf("actions", action)))];
}

function drawn(rules: readonly Rule[], actions: readonly Action[], direction: Direction) {
  const { parts, links } = graphOf(rules, actions, direction);
  const [sourcePosition, targetPosition] = direction === "LR" ? [Position.Right, Position.Left] : [Position.Bottom, Position.Top];
  const nodes: PartNode[] = parts.map((part) => ({
    id: part.id,
    type: "part",
    position: { x: part.x, y: part.y },
    data: { part },
    sourcePosition,
    targetPosition,
    width: SIZE.width,
    height: SIZE.height,
    ariaLabel: `${t.flow.kinds[part.kind]} ${part.name}`,
  }));
  const edges = links.map((link) => ({ id: link.id, source: link.from, target: link.to, type: "live", data: { link } }));
  return { parts, nodes, edges };
}

/** The partitions of one of Kafka's topics: how many, and how much waits in them for the action that was asked. */
function Partitions({ log, action }: { log: string; action: string }) {
  const { data = [] } = usePartitions(action);
  const own = data.filter((each) => each.topic.endsWith(log));
  const most = Math.max(1, ...own.map((each) => each.lag));
  return (
    <span className="partitions" title={own.map((each) => t.flow.partition(each.partition, count(each.end), count(each.lag))).join("\n")}>
      {own.length ? t.flow.partitions(own.length) : log}{" "}
      {own.map((each) => (
        <i key={each.partition} style={{ opacity: 0.3 + (0.7 * each.lag) / most }} />
      ))}
    </span>
  );
}

const STARTS: readonly Kind[] = ["topic", "event"];

const PartBox = memo(({ data: { part }, sourcePosition = Position.Right, targetPosition = Position.Left }: NodeProps<PartNode>) => {
  const status = useLive((live) => live?.status[part.id]);
  const [looked, setLooked] = useState(false);
  return (
    <div className="part" data-kind={part.kind} data-off={part.enabled ? undefined : true} data-status={status} onPointerEnter={() => setLooked(true)} onPointerLeave={() => setLooked(false)}>
      {looked && (part.kind === "rule" || part.kind === "action") && <Counts part={part} family={part.kind === "rule" ? "rules" : "actions"} status={status} />}
      {!STARTS.includes(part.kind) && <Handle type="target" position={targetPosition} />}
      <small>{part.kind === "log" ? t.flow.log(part.name) : t.flow.kinds[part.kind]}</small>
      {part.kind === "log" ? <Partitions log={part.name} action={part.note} /> : <span title={part.name}>{part.name}</span>}
      {part.kind !== "bucket" && <Handle type="source" position={sourcePosition} />}
    </div>
  );
});

/** How a part stands and what it has counted, while the pointer is on it. Its statistics have the same for the keyboard. */
function Counts({ part, family, status }: { part: Part; family: "rules" | "actions"; status: string | undefined }) {
  const { data } = useMetrics(family, part.name);
  const numbers = data?.metrics ?? {};
  const shown = family === "rules" ? RULE_COUNTS : ACTION_COUNTS;
  return (
    <dl className="counts" aria-hidden>
      {status && (
        <div>
          <dt>{t.columns.status}</dt>
          <dd>{t.status[status]}</dd>
        </div>
      )}
      {shown.map(([name, metric]) => (
        <div key={metric}>
          <dt>{name}</dt>
          <dd className="number">{data ? count(numbers[metric] ?? 0) : "–"}</dd>
        </div>
      ))}
    </dl>
  );
}

const { matched, passed, failed, noResult, written, waiting } = t.statistics;
const RULE_COUNTS = [[matched, "matched"], [passed, "passed"], [noResult, "failed.no_result"], [failed, "failed.exception"]] as const;
const ACTION_COUNTS = [[matched, "matched"], [written, "success"], [failed, "failed"], [waiting, "queuing"]] as const;

const LiveEdge = memo((props: EdgeProps) => {
  const link = (props.data as { link: Link }).link;
  const rate = useLive((live) => live?.rates[link.action ? `action/${link.action}` : `rule/${link.rule}`] ?? 0);
  const [path, x, y] = getBezierPath(props);
  return (
    <>
      <BaseEdge id={props.id} path={path} className={rate > 0 ? "flowing" : ""} />
      {rate > 0 && (
        <EdgeLabelRenderer>
          <span className="rate" style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}>
            {t.flow.rate(rate)}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  );
});

const NODES = { part: PartBox };
const EDGES = { live: LiveEdge };

/** The chosen part: what it is, and for a rule or an action its form, to be edited in place. */
function Chosen({ part, close }: { part: Part; close: (then?: () => void) => void }) {
  const status = useLive((live) => live?.status[part.id]);
  const title = (
    <>
      {part.name} {status && <Badge status={status} />}
    </>
  );
  return (
    <Panel id={part.id} label={part.name} title={title} close={close}>
      {part.note && part.kind !== "log" && <p className="dim">{part.note}</p>}
      {part.kind === "log" && part.note && <LogPartitions id={part.note} />}
      {part.kind === "rule" && (
        <p className="tools">
          <a className="button" href={to("flow", part.name)}>
            {t.flow.open}
          </a>
          <a className="button" href={to("rules", part.name)}>
            {t.flow.editor}
          </a>
          <a className="button" href={to("rules", part.name, STATISTICS)}>
            {t.statistics.title}
          </a>
        </p>
      )}
      {part.kind === "rule" && <RuleEditor key={part.id} id={part.name} copyOf={null} action={null} inPlace />}
      {part.kind === "action" && <ActionForm key={part.id} id={part.name} saved={() => close()} cancel={() => close()} />}
    </Panel>
  );
}
