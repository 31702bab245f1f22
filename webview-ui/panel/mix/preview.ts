/** What the settings would do, drawn without running anything. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { DatasetReport } from '../../../src/protocol/datasetReport.js';
import { formatBytes, formatNumber, formatSeconds } from '../../../src/protocol/format.js';
import type {
  RunEstimate,
  MixPreview,
  ModelFacts,
  PreviewData,
  SourcePreview,
} from '../../../src/protocol/preview.js';
import { sourceRole } from '../../../src/protocol/sourceRoles.js';
import { recordedFailure } from '../../shared/failure.js';
import { link } from '../../shared/toolkit.js';
import { batchView, sourceStyle, type BatchView } from './batch.js';

export interface PreviewView extends Omit<BatchView, 'files'> {
  data: PreviewData;
}

export function previewView(view: PreviewView): TemplateResult {
  const { model, dataset, mix, estimate, problem } = view.data;
  const files = dataset.files.map(({ file }) => file);
  const report = reportView(dataset, view.openFile);
  // What stands in the way comes first.
  const [first, later] = dataset.errors > 0 ? [report, nothing] : [nothing, report];
  return html`${first} ${problem ? recordedFailure(problem) : nothing}
  ${estimate ? estimateView(estimate) : nothing}
  ${mix ? mixView(mix) : problem ? nothing : noRows()} ${later}
  ${mix ? batchView(mix, { ...view, files }) : nothing} ${modelView(model)}`;
}

function noRows(): TemplateResult {
  return html`<div class="notice warning">
    <strong>No row of the dataset can be used for training.</strong>
    <div>See below for what is wrong. The preview updates when you correct the file.</div>
  </div>`;
}

const verdicts = {
  fits: { mark: '✓', text: 'It will fit' },
  tight: { mark: '!', text: 'It will be a tight fit' },
  'too-large': { mark: '✕', text: 'It will not fit' },
};

function estimateView(estimate: RunEstimate): TemplateResult {
  const { seconds, memory, deviceMemory, disk, verdict, reason, provider } = estimate;
  const { mark, text } = verdicts[verdict];
  const share = memory.available > 0 ? memory.needed / memory.available : 1;
  const phases = [
    ['Starting', seconds.starting],
    ['Generating samples', seconds.generating],
    ['Training', seconds.training],
    ['Evaluating', seconds.evaluating],
    ['Saving', seconds.saving],
  ] as const;
  const needed = `${formatBytes(memory.needed)} of ${formatBytes(memory.available)}`;
  return html`<section aria-labelledby="preview-cost">
    <h2 id="preview-cost">Time and memory, estimated</h2>
    <p class=${`verdict ${verdict}`}>
      <span class="mark" aria-hidden="true">${mark}</span><strong>${text}.</strong> ${reason}
    </p>
    <div class="meter-line">
      <span>Memory</span>
      <span
        class=${`meter ${verdict}`}
        role="meter"
        aria-label="Memory needed"
        aria-valuemin="0"
        aria-valuemax=${memory.available}
        aria-valuenow=${Math.min(memory.needed, memory.available)}
        aria-valuetext=${needed}
        ><span .style=${width(Math.min(1, share))}></span
      ></span>
      <span>${needed}</span>
    </div>
    <dl class="facts">
      <div>
        <dt>Total time</dt>
        <dd>≈ ${formatSeconds(seconds.total)}</dd>
      </div>
      ${phases
        .filter(([, each]) => each > 0)
        .map(
          ([name, each]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>≈ ${formatSeconds(each)}</dd>
            </div>`,
        )}
      <div>
        <dt>Disk</dt>
        <dd>${formatBytes(disk.needed)} of ${formatBytes(disk.available)} free</dd>
      </div>
      ${
        deviceMemory
          ? html`<div>
              <dt>GPU memory</dt>
              <dd>
                ${formatBytes(deviceMemory.needed)}
                ${deviceMemory.available === undefined ? nothing : html`of ${formatBytes(deviceMemory.available)} free`}
              </dd>
            </div>`
          : nothing
      }
      <div>
        <dt>Provider</dt>
        <dd>${provider}</dd>
      </div>
    </dl>
    <details class="folded">
      <summary>Memory by use</summary>
      <dl class="facts">
        ${Object.entries(memory.parts).map(
          ([name, bytes]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${formatBytes(bytes)}</dd>
            </div>`,
        )}
      </dl>
    </details>
  </section>`;
}

function mixView(mix: MixPreview): TemplateResult {
  const { sources, steps, epochs, stepsPerEpoch } = mix;
  const planned = sources.filter((source) => source.planned).map(rowsOf);
  return html`<section aria-labelledby="preview-mix">
    <h2 id="preview-mix">Training data</h2>
    <p>
      <strong>${formatNumber(steps)} ${steps === 1 ? 'step' : 'steps'}</strong>:
      ${formatNumber(epochs)} ${epochs === 1 ? 'pass' : 'passes'} over the dataset, with
      ${formatNumber(stepsPerEpoch)} steps each.
    </p>
    ${bar('Rows', sources, ({ rows }) => rows)}
    ${bar('Supervised tokens', sources, ({ supervisedTokens }) => supervisedTokens)}
    <table class="sources">
      <thead>
        <tr>
          <th scope="col">Source</th>
          <th scope="col">Rows</th>
          <th scope="col">Tokens</th>
          <th scope="col">Supervised tokens</th>
          <th scope="col">Longest row</th>
        </tr>
      </thead>
      <tbody>
        ${sources.map(sourceRow)}
      </tbody>
    </table>
    ${
      planned.length === 0
        ? nothing
        : html`<p class="muted">
            ≈ The ${planned.join(' and ')} are not generated yet; their token counts are upper
            estimates.
          </p>`
    }
  </section>`;
}

function rowsOf({ role }: SourcePreview): string {
  return sourceRole(role).rows;
}

function sourceRow(source: SourcePreview, index: number): TemplateResult {
  const about = source.planned ? '≈ ' : '';
  return html`<tr>
    <th scope="row">
      <span class=${`swatch ${sourceStyle(index)}`} aria-hidden="true"></span
      >${sourceRole(source.role).name}
    </th>
    <td>${formatNumber(source.rows)}</td>
    <td>${about}${formatNumber(source.tokens)}</td>
    <td>${about}${formatNumber(source.supervisedTokens)}</td>
    <td>${about}${formatNumber(source.longest)}</td>
  </tr>`;
}

/** How much of a number each source has. */
function bar(
  name: string,
  sources: readonly SourcePreview[],
  numberOf: (source: SourcePreview) => number,
): TemplateResult {
  const total = Math.max(
    1,
    sources.reduce((sum, source) => sum + numberOf(source), 0),
  );
  const shares = sources.map((source) => numberOf(source) / total);
  const words = sources.map((source, i) => `${percent(shares[i] ?? 0)} ${rowsOf(source)}`);
  return html`<div class="bar-line">
    <span>${name}</span>
    <span class="bar" role="img" aria-label=${`${name}: ${words.join(', ')}`}>
      ${shares.map(
        (share, i) => html`<span class=${sourceStyle(i)} .style=${width(share)}></span>`,
      )}
    </span>
    <span class="muted">${shares.map(percent).join(' : ')}</span>
  </div>`;
}

const shownProblems = 8;

function reportView(report: DatasetReport, openFile: PreviewView['openFile']): TemplateResult {
  const { problems, counts, rows, kept, truncated } = report;
  const leftOut = Math.max(0, rows - kept);
  const codes = Object.entries(counts).filter(([, number]) => number > 0);
  const nameOf = (code: string): string =>
    code
      .replace(/^(DATASET|ROW)_/, '')
      .replaceAll('_', ' ')
      .toLowerCase();
  return html`<section aria-labelledby="preview-rows">
    <h2 id="preview-rows">Rows of the dataset</h2>
    <p>
      ${formatNumber(rows)} read, ${formatNumber(kept)} used.
      ${leftOut === 0 ? 'None left out' : html`<strong>${formatNumber(leftOut)} left out</strong>`},
      ${
        truncated === 0
          ? 'none truncated.'
          : html`<strong>${formatNumber(truncated)} truncated to the maximum length</strong>.`
      }
    </p>
    ${
      codes.length === 0
        ? nothing
        : html`<p class="muted">
              ${codes.map(([code, number]) => `${formatNumber(number)} × ${nameOf(code)}`).join(' · ')}
            </p>
            <ul class="problems">
              ${problems.slice(0, shownProblems).map(
                (problem) =>
                  html`<li>
                    <span class="mark" aria-hidden="true"
                      >${problem.severity === 'error' ? '✕' : '!'}</span
                    >
                    <span class="visually-hidden">${problem.severity}:</span>
                    ${link(placeOf(problem), () => openFile(problem.file, problem.line))}
                    ${problem.message} <span class="muted">${problem.remedy}</span>
                  </li>`,
              )}
            </ul>
            ${
              problems.length > shownProblems
                ? html`<p class="muted">
                    Open the file to see more of them in the Problems panel.
                  </p>`
                : nothing
            }`
    }
  </section>`;
}

function placeOf({ file, line }: { file: string; line?: number | undefined }): string {
  return line === undefined ? baseName(file) : `${baseName(file)}:${line}`;
}

function modelView(model: ModelFacts): TemplateResult {
  const { architecture, parameters, layers, contextLength, bos } = model;
  return html`<section aria-labelledby="preview-model">
    <h2 id="preview-model">The base model</h2>
    <p>
      ${architecture}, ${formatNumber(parameters)} parameters in ${formatNumber(layers)} layers,
      context length ${formatNumber(contextLength)}. Samples start from the BOS token
      <code>${bos.token}</code>
      (${bos.id}): ${bos.reason}
    </p>
  </section>`;
}

export function baseName(file: string): string {
  return file.split(/[\\/]/).at(-1) ?? file;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))}%`;
}

/** For the property `style`: the content policy allows no attribute of that name. */
function width(share: number): string {
  return `width: ${share * 100}%`;
}
