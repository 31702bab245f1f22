/**
 * The Mix page: the settings of a run as a form, and beside it what they would do. The host keeps
 * the values, so that they outlive the page; the page remembers only which sections are open.
 */
import { html, nothing, type TemplateResult } from 'lit-html';
import { z } from 'zod';
import type { Until } from '../../../src/protocol/engine.js';
import type { MixAnswer, MixState } from '../../../src/protocol/panel.js';
import { failure } from '../../shared/failure.js';
import { button, progressRing } from '../../shared/toolkit.js';
import type { PageContext, PanelPage } from '../page.js';
import { formView, type Editor } from './fields.js';
import {
  formOf,
  labelsOf,
  missingFields,
  schemaNode,
  withLists,
  type Field,
  type Form,
  type SchemaNode,
} from './formModel.js';
import './mix.css';
import { nextStep, stepLabel, stepNotice, type MadeRun, type NextStep } from './nextStep.js';
import { baseName, previewView } from './preview.js';
import { dotted, setAt, type Path } from './values.js';

/** While a person types, nothing is asked. */
const pauseMs = 250;
/** A first look at 200,000 rows takes longer than other answers. */
const previewTimeoutMs = 10 * 60_000;

const rememberedSchema = z.object({ open: z.array(z.string()), scroll: z.number() });

interface State extends Omit<MixState, 'schema'> {
  schema: SchemaNode;
}

const noChanges = { settings: [], samples: [] };

export function createMixPage(context: PageContext): PanelPage {
  const { rpc } = context;
  const redraw = (): void => context.redraw();
  const kept = rememberedSchema.safeParse(context.remembered());
  const open = new Set(kept.success ? kept.data.open : []);
  let scroll = kept.success ? kept.data.scroll : 0;
  const longRows = new Set<string>();
  let isWholeBatch = false;
  /** What was typed for a value: `1e-` is about to become a number. */
  const texts = new Map<string, { text: string; value: unknown }>();

  let state: State | undefined;
  /** While a field is wrong, the preview of what it was before stays in view: then it is old. */
  let answer: (MixAnswer & { isOld: boolean }) | undefined;
  let problem: unknown;
  let previewProblem: unknown;
  let startProblem: unknown;
  /** What the host has not heard of yet. */
  let unsent: { path: Path; value: unknown }[] = [];
  /** Names the next start; asked again with the same name, the host makes no second run. */
  let request = newRequest();
  /** The run of these settings once it was in the list: when it is missing then, it was deleted. */
  let listed: string | undefined;
  let reading: { file: string; rows: number } | undefined;
  let asked = 0;
  let isWaiting = false;
  let isStarting = false;
  let isLoading = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const remember = (): void => context.remember({ open: [...open], scroll });
  window.addEventListener('scroll', () => {
    // The pages of the panel share the window; this one's place is meant.
    if (!document.querySelector('.mix')) return;
    scroll = window.scrollY;
    remember();
  });

  const load = async (): Promise<void> => {
    isLoading = true;
    try {
      take(await rpc.request('mixState', {}));
      const place = scroll;
      requestAnimationFrame(() => requestAnimationFrame(() => window.scrollTo(0, place)));
    } catch (error) {
      problem = error;
      redraw();
    } finally {
      isLoading = false;
    }
  };

  const take = (told: MixState): void => {
    const schema = schemaNode.parse(told.schema);
    let values = withLists(schema, told.values);
    if (told.draft === state?.draft) {
      // Told while a person typed on.
      for (const edit of unsent) values = setAt(values, edit.path, edit.value);
    } else {
      answer = undefined;
      startProblem = undefined;
      request = newRequest();
      texts.clear();
    }
    state = { ...told, schema, values };
    problem = undefined;
    void preview();
    redraw();
  };

  const preview = async (): Promise<void> => {
    if (!state) return;
    clearTimeout(timer);
    const mine = ++asked;
    isWaiting = true;
    unsent = [];
    try {
      const { draft, values } = state;
      const asking = { draft, values };
      const result = await rpc.request('preview', asking, { timeoutMs: previewTimeoutMs });
      if (mine !== asked) return;
      const isOld = result.preview === undefined;
      answer = { ...result, preview: result.preview ?? answer?.preview, isOld };
      previewProblem = undefined;
    } catch (error) {
      if (mine !== asked) return;
      previewProblem = error;
    }
    isWaiting = false;
    reading = undefined;
    redraw();
  };

  const change = (path: Path, value: unknown): void => {
    if (!state) return;
    state = { ...state, values: setAt(state.values, path, value) };
    unsent.push({ path, value });
    request = newRequest();
    startProblem = undefined;
    clearTimeout(timer);
    // What is under way answers to values that are gone.
    asked++;
    isWaiting = true;
    timer = setTimeout(() => void preview(), pauseMs);
    redraw();
  };

  const editor: Editor = {
    set: (path, value, typed) => {
      if (typed === undefined) texts.delete(dotted(path));
      else texts.set(dotted(path), { text: typed, value });
      change(path, value);
    },
    typed: (path, value) => {
      const entry = texts.get(dotted(path));
      return entry && entry.value === value ? entry.text : undefined;
    },
    pick: (field, kind, take) => void pick(field, kind, take),
    isOpen: (id) => open.has(id),
    toggle: (id, isOpen) => {
      if (isOpen === open.has(id)) return;
      if (isOpen) open.add(id);
      else open.delete(id);
      remember();
    },
  };

  const pick: (...args: Parameters<Editor['pick']>) => Promise<void> = async (
    field,
    kind,
    takePaths,
  ) => {
    try {
      const { paths } = await rpc.request(
        'pickPaths',
        { kind, field: field.id },
        { timeoutMs: previewTimeoutMs },
      );
      if (paths.length > 0) takePaths(paths);
    } catch (error) {
      startProblem = error;
      redraw();
    }
  };

  /** The run that was made of these settings, unless it was deleted. */
  const madeRun = (): MadeRun | undefined => {
    if (!state?.run) return undefined;
    const { id, file } = state.run;
    const info = context.runs().find((run) => run.id === id);
    if (info) listed = id;
    return info || listed !== id ? { file, info } : undefined;
  };

  const step = (): NextStep => nextStep(madeRun(), answer?.changes ?? noChanges);

  /** One at a time, and never what was offered before there was this run: a second click is none. */
  const go = async (wanted: NextStep, until: Until): Promise<void> => {
    if (!state || isStarting || wanted.made?.file !== madeRun()?.file) return;
    isStarting = true;
    startProblem = undefined;
    redraw();
    try {
      const { draft, values } = state;
      const { runId, file } =
        wanted.kind === 'start'
          ? await rpc.request('start', { draft, values, request, until })
          : await rpc.request('continueRun', { draft, values });
      if (state.draft === draft) {
        state = { ...state, run: { id: runId, file } };
        if (answer) answer = { ...answer, changes: noChanges };
      }
      request = newRequest();
      context.select([runId]);
    } catch (error) {
      startProblem = error;
    }
    isStarting = false;
    redraw();
  };

  const openFile = (file: string, line?: number): void => {
    rpc
      .request('openFile', { file, ...(line === undefined ? {} : { line }) })
      .catch((error: unknown) => {
        startProblem = error;
        redraw();
      });
  };

  const previewPane = (form: Form): TemplateResult => {
    const missing = missingFields(form);
    const isOld = answer !== undefined && answer.problems.length > 0 && answer.isOld;
    const data = missing.length === 0 ? answer?.preview : undefined;
    return html`<div class="mix-preview" role="region" aria-label="Preview" tabindex="0">
      <div class="preview-state" role="status">${isWaiting ? waiting() : nothing}</div>
      ${missing.length > 0 ? firstSteps(missing, editor) : nothing}
      ${previewProblem === undefined ? nothing : failure(previewProblem)}
      ${
        missing.length === 0 && isOld && !isWaiting
          ? html`<div class="notice warning" role="status">
              Correct the marked settings to update the preview.
              ${data ? 'Below is the preview of the previous settings.' : nothing}
            </div>`
          : nothing
      }
      ${
        data
          ? html`<div
              class=${isWaiting ? 'preview-body old' : 'preview-body'}
              aria-busy=${isWaiting}
            >
              ${previewView({
                data,
                openFile,
                isLong: (row) => longRows.has(row),
                toggleLong: (row) => {
                  if (!longRows.delete(row)) longRows.add(row);
                  redraw();
                },
                isWhole: isWholeBatch,
                toggleWhole: () => {
                  isWholeBatch = !isWholeBatch;
                  redraw();
                },
              })}
            </div>`
          : nothing
      }
    </div>`;
  };

  const waiting = (): TemplateResult => {
    const text = reading
      ? `Reading ${baseName(reading.file)}: ${reading.rows.toLocaleString('en')} rows…`
      : 'Updating the preview…';
    return html`${progressRing(text)}<span>${text}</span>`;
  };

  /** Why nothing can be started now. */
  const obstacle = (form: Form): string | undefined => {
    if (state?.blocked !== undefined) return state.blocked;
    const missing = missingFields(form);
    if (missing.length > 0) return `Choose first: ${list(missing.map(({ label }) => label))}.`;
    const problems = answer?.problems ?? [];
    const wrong = new Set(problems.map(({ field }) => field));
    // Some are of no setting; they stand above the form.
    wrong.delete('');
    if (wrong.size > 0) {
      return `Correct first: ${wrong.size} ${wrong.size === 1 ? 'setting' : 'settings'}.`;
    }
    if (problems.length > 0) return 'The top of the page says what is wrong.';
    if (previewProblem !== undefined) return 'The preview shows what is wrong.';
    if (!answer) return 'Checking the settings…';
    if (answer.preview?.problem) return 'The preview shows what is wrong.';
    if (!answer.preview?.mix) return 'No row of the dataset can be used for training.';
    const { errors } = answer.preview.dataset;
    if (errors > 0) {
      return `Correct first: ${errors} ${errors === 1 ? 'mistake' : 'mistakes'} in the dataset.`;
    }
    return undefined;
  };

  const startBar = (form: Form): TemplateResult => {
    const reason = obstacle(form);
    const next = step();
    const disabled = reason !== undefined || isStarting;
    const { settings, samples } = answer?.changes ?? noChanges;
    const labels = { settings: labelsOf(form, settings), samples: labelsOf(form, samples) };
    const notice = stepNotice(next, labels, openFile);
    const another = { kind: 'start', made: next.made } as const;
    const writesSamples = answer?.preview?.mix?.sources.some(({ planned }) => planned) ?? false;
    return html`<div class="start-bar">
      ${startProblem === undefined ? nothing : failure(startProblem)}
      ${notice === undefined ? nothing : html`<div class="notice" role="status">${notice}</div>`}
      <div class="start-buttons">
        ${button(isStarting ? 'Starting…' : stepLabel(next), {
          disabled: disabled || next.kind === 'under-way',
          onClick: () => void go(next, 'end'),
        })}
        ${
          next.kind === 'continue'
            ? button(stepLabel(another), {
                kind: 'secondary',
                disabled,
                onClick: () => void go(another, 'end'),
              })
            : nothing
        }
        ${
          next.kind === 'start' && writesSamples
            ? button('Generate Samples First', {
                kind: 'secondary',
                disabled,
                title:
                  'Generates the samples and stops, so that you can read them before training.',
                onClick: () => void go(next, 'samples'),
              })
            : nothing
        }
        <span class="muted" role="status">${reason ?? ''}</span>
      </div>
    </div>`;
  };

  return {
    update: () => {
      if (!state && !isLoading) void load();
    },
    render: () => {
      if (problem !== undefined) return failure(problem);
      if (!state) return html`${progressRing('Loading the settings')}`;
      const { schema, values, suggested } = state;
      const form = formOf(schema, values, answer?.problems ?? [], suggested, answer?.warnings);
      return html`<div class="mix">
        ${formView(form, editor)} ${previewPane(form)} ${startBar(form)}
      </div>`;
    },
    listeners: {
      mixState: take,
      previewProgress: (progress) => {
        reading = progress;
      },
    },
  };
}

/** For whoever has just come: what to choose, and what it is for. */
function firstSteps(missing: readonly Field[], editor: Editor): TemplateResult {
  return html`<section aria-labelledby="first-steps">
    <h2 id="first-steps">First steps</h2>
    <ol class="first-steps">
      ${missing.map((field) => {
        const { control, label, help } = field;
        const isList = control.kind === 'list';
        const kind = control.kind === 'path' || isList ? control.pick : undefined;
        const add = (paths: string[]): void => {
          const mainKey = isList ? control.mainKey : undefined;
          const entries = paths.map((path) => (mainKey === undefined ? path : { [mainKey]: path }));
          editor.set(field.path, isList ? entries : paths[0]);
        };
        return html`<li>
          <strong>Choose: ${label}</strong>
          <div class="muted">${help}</div>
          ${
            kind === undefined
              ? nothing
              : button('Browse…', {
                  label: `Browse for ${label}, first step`,
                  onClick: () => editor.pick(field, kind, add),
                })
          }
        </li>`;
      })}
      <li>
        <strong>Read the preview here</strong>
        <div class="muted">
          What the model will be trained on, how long it will take, and whether it fits in memory.
          Nothing runs until you start it.
        </div>
      </li>
    </ol>
  </section>`;
}

/** Random: the host may still know the requests of this page before it was reloaded. */
function newRequest(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('-');
}

function list(names: readonly string[]): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}
