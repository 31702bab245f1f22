/**
 * What the main button of the Mix page does: it begins a run, or goes on with the run that was made
 * of these settings. A run whose samples wait for their reader is continued, never made again.
 */
import { html, type TemplateResult } from 'lit-html';
import type { MixAnswer } from '../../../src/protocol/panel.js';
import type { RunInfo } from '../../../src/protocol/runInfo.js';
import { link } from '../../shared/toolkit.js';

/** The run that was made of the settings; without `info` while the list of runs lacks it. */
export interface MadeRun {
  file: string;
  info: RunInfo | undefined;
}

type Changes = NonNullable<MixAnswer['changes']>;

export type NextStep =
  | { kind: 'start'; made?: MadeRun }
  /** The run trains or waits for another one, with just these settings. */
  | { kind: 'under-way'; made: MadeRun }
  | { kind: 'continue'; made: MadeRun; hasSamples: boolean };

/** `changes`: how the settings differ from those of the run. */
export function nextStep(made: MadeRun | undefined, { settings, samples }: Changes): NextStep {
  if (made === undefined) return { kind: 'start' };
  const { info } = made;
  const isSame = settings.length === 0;
  switch (info?.state) {
    case undefined:
    case 'queued':
    case 'running':
      return isSame ? { kind: 'under-way', made } : { kind: 'start', made };
    case 'finished':
      return { kind: 'start', made };
    case 'stopped':
    case 'interrupted':
    case 'failed':
      // Samples stay right under other settings of the training, as long as it has not begun.
      return (info.trained ? isSame : samples.length === 0)
        ? { kind: 'continue', made, hasSamples: hasSamples(info) }
        : { kind: 'start', made };
  }
}

function hasSamples({ trained, phase, progress, total }: RunInfo): boolean {
  return !trained && phase === 'generating' && total > 0 && progress >= total;
}

/** What the main button says. */
export function stepLabel(step: NextStep): string {
  switch (step.kind) {
    case 'start':
      return step.made === undefined ? 'Start Fine-Tuning' : 'Start a New Run';
    case 'under-way':
      return step.made.info?.state === 'queued' ? 'Waiting…' : 'Running…';
    case 'continue':
      return step.hasSamples ? 'Train on These Samples' : 'Resume the Run';
  }
}

/** What has become of these settings; `labels` are those of the fields that differ. */
export function stepNotice(
  step: NextStep,
  labels: { settings: readonly string[]; samples: readonly string[] },
  openFile: (file: string) => void,
): TemplateResult | undefined {
  const { made } = step;
  if (made === undefined) return undefined;
  const name = made.info === undefined ? 'The run' : `“${made.info.name}”`;
  const settings = link(made.file, () => openFile(made.file));
  const fields = labels.settings.join(', ');
  switch (step.kind) {
    case 'under-way':
      return html`<strong>Started.</strong> The settings are written to ${settings}. Read the
        samples in the Sample Inspector as they arrive, then watch the Curves page. Change a setting
        to start another run.`;
    case 'continue':
      return html`<strong
          >${step.hasSamples ? `The samples of ${name} are ready.` : `${name} can be resumed.`}</strong
        >
        ${
          fields === ''
            ? html`Its settings are in ${settings}.`
            : html`It will train with the settings shown here, and they will be written to
              ${settings}. Changed: ${fields}.`
        }`;
    case 'start':
      if (fields === '') {
        return html`<strong>${name} has finished with these settings</strong>, which are in
          ${settings}.`;
      }
      return labels.samples.length > 0 && made.info?.trained === false
        ? html`<strong>These settings need a new run:</strong> the samples of ${name} were generated
            with another ${labels.samples.join(', ')}. The settings of that run are in ${settings}.`
        : html`<strong>These settings make a new run.</strong> ${name} has its own in ${settings};
            different here: ${fields}.`;
  }
}
