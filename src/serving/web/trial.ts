import type { AskedVersion, VersionFigures } from "../frontend/releases/version-figures.ts";
import { type TrialFigures, unaskedTrial } from "../frontend/trials/trial-figures.ts";
import type { TrialBeside } from "../routing/directory.ts";
import type { ServedModel } from "../routing/question.ts";
import { duration } from "./client/plot.js";
import { quantile } from "./client/rates.js";
import { trialWords } from "./client/words.js";
import { type Html, html } from "./html.ts";

/** A version on trial and the live one beside it, with what both did since the frontend was started. */
export interface ShownTrial {
  trial: TrialBeside;
  figures: TrialFigures;
  /** The live version and the one on trial; undefined for one that nobody asked. */
  versions: { version: string; role: string; did: AskedVersion | undefined }[];
}

export function shownTrial({ model }: ServedModel, trial: TrialBeside, { asked, trials }: VersionFigures): ShownTrial {
  const isOf =
    (version: string) =>
    (one: { name: string; version: string }): boolean =>
      one.name === model.name && one.version === version;
  const { version } = trial.served.model;
  return {
    trial,
    figures: trials.find(isOf(version)) ?? unaskedTrial(trial.served.model),
    versions: [
      { version: model.version, role: "live", did: asked.find(isOf(model.version)) },
      { version, role: trial.traffic.mode, did: asked.find(isOf(version)) },
    ],
  };
}

/** The trial on the model's card. */
export function trialSection({ trial, figures, versions }: ShownTrial): Html {
  const { served, traffic, problem } = trial;
  const words = trialWords({ ...traffic, problem, reasked: figures.reasked, shadow: figures.shadow });
  return html`<h2 id="trial">On trial beside it</h2>
<p>Version ${served.model.version} ${words}.</p>
<div class="scroll" role="region" aria-labelledby="trial" tabindex="0"><table>
<caption>Since the frontend was started</caption>
<thead><tr><th scope="col" class="text">Version</th><th scope="col">Role</th><th scope="col">Answered</th><th scope="col">Failed</th><th scope="col">Median</th></tr></thead>
<tbody>
${versions.map(
  ({ version, role, did }) =>
    html`<tr><th scope="row" class="text">${version}</th><td>${role}</td><td>${String(did?.answered ?? 0)}</td><td>${String(did?.failed ?? 0)}</td><td>${duration(did && quantile(did.latency, 0.5))}</td></tr>
`,
)}</tbody>
</table></div>`;
}
