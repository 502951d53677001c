// How Prometheus reads the counters: the address, and the lines of its configuration.
import { useState } from "react";
import { CopyButton } from "../../parts/copy_button";
import { to } from "../../route";
import { t } from "../../texts";

const PATH = "api/v5/prometheus/data_integration";
const MODES = ["all_nodes_aggregated", "all_nodes_unaggregated"] as const;
type Mode = (typeof MODES)[number];

export default function Prometheus() {
  const [mode, setMode] = useState<Mode>("all_nodes_aggregated");
  const lines = configuration(mode);
  return (
    <section className="page">
      <div>
        <h1>{t.pages.prometheus}</h1>
        <p className="dim">{t.prometheus.say}</p>
      </div>
      <div className="card">
        <div className="field">
          <label htmlFor="mode">{t.prometheus.mode}</label>
          <select
            id="mode"
            value={mode}
            onChange={(event) => setMode(event.target.value as Mode)}
          >
            {MODES.map((each) => (
              <option key={each} value={each}>
                {t.prometheus.modes[each]}
              </option>
            ))}
          </select>
        </div>
        <p>
          {t.prometheus.put} <a href={to("keys")}>{t.prometheus.key}</a>
        </p>
        <pre>{lines}</pre>
        <div className="tools">
          <CopyButton text={lines} label={t.prometheus.copy} />
          <a className="button" href={`${PATH}?mode=${mode}`} target="_blank" rel="noreferrer">
            {t.prometheus.open}
          </a>
        </div>
      </div>
      <p className="dim">{t.prometheus.own}</p>
    </section>
  );
}

/** The lines of prometheus.yml. */
function configuration(mode: Mode): string {
  const { protocol, host, pathname } = new URL(PATH, document.baseURI);
  return [
    "scrape_configs:",
    "  - job_name: tidegate",
    `    scheme: ${protocol.replace(":", "")}`,
    `    metrics_path: ${pathname}`,
    `    params: { mode: [${mode}] }`,
    "    basic_auth:",
    "      username: API_KEY",
    "      password_file: /etc/prometheus/tidegate.secret",
    "    static_configs:",
    `      - targets: ["${host}"]`,
  ].join("\n");
}
