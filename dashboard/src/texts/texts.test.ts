import ts from "typescript";
import { expect, test } from "vitest";
import { t } from ".";

const FILES = import.meta.glob<string>("../**/*.tsx", { query: "?raw", import: "default", eager: true });
const EVERYTHING = import.meta.glob<string>(["../**/*.ts", "../**/*.tsx", "!./*"], { query: "?raw", import: "default", eager: true });
const SAID = new Set(["alt", "aria-label", "aria-description", "aria-roledescription", "aria-valuetext", "label", "placeholder", "title"]);
const WORD = /\p{L}{2,}/u;

/** What a person would read that stands in a component itself. */
function literalsOf(name: string, text: string): string[] {
  const found: string[] = [];
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const note = (node: ts.Node, said: string) => {
    if (WORD.test(said)) found.push(`${name}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${said.trim()}`);
  };
  const visit = (node: ts.Node) => {
    if (ts.isJsxText(node)) note(node, node.text);
    if (ts.isJsxAttribute(node) && SAID.has(node.name.getText())) {
      const value = node.initializer && ts.isJsxExpression(node.initializer) ? node.initializer.expression : node.initializer;
      if (value && ts.isStringLiteralLike(value)) note(node, value.text);
    }
    if (ts.isJsxExpression(node) && !ts.isJsxAttribute(node.parent)) {
      const inside = (each: ts.Expression | undefined): void => {
        if (!each) return;
        if (ts.isStringLiteralLike(each)) note(each, each.text);
        if (ts.isTemplateExpression(each)) for (const part of [each.head, ...each.templateSpans.map(({ literal }) => literal)]) note(part, part.text);
        if (ts.isConditionalExpression(each)) [each.whenTrue, each.whenFalse].forEach(inside);
        if (ts.isBinaryExpression(each)) inside(each.right);
      };
      inside(node.expression);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test("texts of components are all in this folder, so that a second language is one more object", () => {
  expect(Object.keys(FILES).length).toBeGreaterThan(40);
  expect(Object.entries(FILES).flatMap(([name, text]) => literalsOf(name, text))).toEqual([]);
});

test("a text in a component is found", () => {
  const planted = '<p title="Help"><b>{on ? "Saved" : t.no}</b> now {`${n} rows`}</p>';
  expect(literalsOf("planted.tsx", planted)).toHaveLength(4);
});

test("each text is used somewhere", () => {
  const words = new Set(Object.values(EVERYTHING).join("\n").match(/\w+/g));
  const unused: string[] = [];
  const visit = (path: string, texts: object) => {
    for (const [name, text] of Object.entries(texts)) {
      if (/^\w+$/.test(name) && !words.has(name)) unused.push(`${path}${name}`);
      if (typeof text === "object" && text !== null) visit(`${path}${name}.`, text as object);
    }
  };
  visit("", t);

  expect(unused).toEqual([]);
});
