// The editor of a statement as a part of a page: opened once, and told what the page knows since.
import { useEffect, useRef } from "react";
import { type Editor, openEditor, type Problem, type Word } from "./editor";

type Props = {
  text: string;
  label: string;
  words: Word[];
  problems: (text: string) => Promise<Problem[]>;
  change: (text: string) => void;
  run: () => void;
  readOnly: boolean;
};

export default function SqlEditor(props: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const now = useRef(props);
  now.current = props;
  useEffect(() => {
    if (!frame.current) return;
    const opened = openEditor({
      parent: frame.current,
      text: now.current.text,
      label: now.current.label,
      words: () => now.current.words,
      problems: (text) => now.current.problems(text),
      changed: (text) => now.current.change(text),
      run: () => now.current.run(),
    });
    editor.current = opened;
    return () => opened.close();
  }, []);
  useEffect(() => {
    if (editor.current && editor.current.text() !== props.text) editor.current.set(props.text);
  }, [props.text]);
  useEffect(() => editor.current?.readOnly(props.readOnly), [props.readOnly]);
  return <div className="editor" ref={frame} />;
}
