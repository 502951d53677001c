// Copies a text that is on the screen. On an address without TLS a browser gives no page the clipboard: the text is marked by hand then.
import { useState } from "react";
import { t } from "../texts";

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState("");
  if (!isSecureContext) return null;
  return (
    <button type="button" onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(text))}>
      {copied === text ? t.copied : label}
    </button>
  );
}
