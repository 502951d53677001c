// The editor of a rule: highlighting, completion of functions and of the columns of its events with their help, and the server's
// errors at their place while the user types.
import { autocompletion, type Completion, type CompletionContext, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { sql, SQLDialect } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, linter, lintGutter, lintKeymap } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, hoverTooltip, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export type Problem = { line: number; column: number; message: string };
export type Word = { name: string; kind: "function" | "column"; detail: string; help: string };

export type Editor = { text: () => string; set: (text: string) => void; readOnly: (on: boolean) => void; focus: () => void; close: () => void };

type Options = {
  parent: HTMLElement;
  text: string;
  label: string;
  words: () => Word[]; // asked at each completion, since the columns depend on FROM
  problems: (text: string) => Promise<Problem[]>;
  changed: (text: string) => void;
  run: () => void;
};

const LINT_MS = 300;

const dialect = SQLDialect.define({
  keywords: "select from where as case when then else end foreach do incase and or not in like is null div mod",
  builtin: "",
  types: "",
  doubleQuotedStrings: true,
  hashComments: false,
});

const colours = HighlightStyle.define([
  { tag: tags.keyword, class: "tok-keyword" },
  { tag: [tags.string, tags.special(tags.string)], class: "tok-string" },
  { tag: [tags.number, tags.bool, tags.null], class: "tok-number" },
  { tag: tags.comment, class: "tok-comment" },
]);

export function openEditor({ parent, text, label, words, problems, changed, run }: Options): Editor {
  const language = sql({ dialect, upperCaseKeywords: true });
  const locked = new Compartment();
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        EditorView.cspNonce.of(document.querySelector<HTMLMetaElement>("meta[name=csp-nonce]")?.content ?? ""),
        lineNumbers(),
        history(),
        drawSelection(),
        highlightActiveLine(),
        bracketMatching(),
        lintGutter(),
        language,
        language.language.data.of({ autocomplete: completion(words) }),
        autocompletion(),
        hoverTooltip((now, at) => explained(now, at, words)),
        syntaxHighlighting(colours),
        linter((now) => diagnostics(now, problems), { delay: LINT_MS }),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label }),
        locked.of(EditorState.readOnly.of(false)),
        // Tab goes on through the page, so that the keyboard is never caught here.
        keymap.of([
          { key: "Mod-Enter", run: () => (run(), true) },
          ...completionKeymap,
          ...defaultKeymap,
          ...historyKeymap,
          ...lintKeymap,
        ]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    set: (now) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: now } }),
    readOnly: (on) => view.dispatch({ effects: locked.reconfigure(EditorState.readOnly.of(on)) }),
    focus: () => view.focus(),
    close: () => view.destroy(),
  };
}

async function diagnostics(view: EditorView, problems: Options["problems"]): Promise<Diagnostic[]> {
  const { doc } = view.state;
  const found = await problems(doc.toString()).catch(() => []); // the server is away: the page says it elsewhere
  return found.map(({ line, column, message }) => {
    const row = doc.line(Math.max(1, Math.min(line, doc.lines)));
    const from = Math.min(row.from + Math.max(0, column - 1), row.to);
    const word = view.state.wordAt(from);
    return { from, to: word?.from === from ? word.to : Math.min(from + 1, doc.length), severity: "error", message };
  });
}

/** The help of the function or column under the pointer. */
function explained(view: EditorView, at: number, words: () => Word[]) {
  const line = view.state.doc.lineAt(at);
  const found = [...line.text.matchAll(/[\w.]+/g)].find(({ index, 0: text }) => line.from + index <= at && at <= line.from + index + text.length);
  const known = found && words().find(({ name }) => name === found[0] || name === found[0].split(".")[0]);
  if (!found || !known) return null;
  const create = () => {
    const dom = document.createElement("div");
    dom.className = "explained";
    dom.append(Object.assign(document.createElement("b"), { textContent: known.kind === "column" ? known.name : known.detail || known.name }), Object.assign(document.createElement("p"), { textContent: known.help }));
    return { dom };
  };
  return { pos: line.from + found.index, end: line.from + found.index + found[0].length, above: true, create };
}

function completion(words: () => Word[]) {
  return (context: CompletionContext) => {
    const word = context.matchBefore(/[\w.]+/);
    if (!word && !context.explicit) return null;
    const options: Completion[] = words().map(({ name, kind, detail, help }) => ({
      label: name,
      type: kind === "function" ? "function" : "property",
      detail,
      info: help,
      apply: kind === "function" ? `${name}(` : name,
      boost: kind === "column" ? 1 : 0,
    }));
    return { from: word?.from ?? context.pos, options, validFor: /^[\w.]*$/ };
  };
}
