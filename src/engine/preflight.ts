/**
 * Everything that can be known to go wrong with a run before it computes anything: from its
 * configuration, the model folder, the task files and the disk, all at once. `validate` and the page
 * show it; a run looks itself, before its first sample, and ends with the first error.
 */
import { attempt, attemptAsync, CfsError } from '../errors.js';
import type { NamedTask } from '../evaluator/taskNames.js';
import { planEpoch } from '../mixer/epoch.js';
import { expectedRows } from '../mixer/preview.js';
import { joinStores, type RowStore } from '../mixer/rowStore.js';
import { inspectCopies, requireSaveTarget } from '../model/save.js';
import { chooseProvider, type Provider } from '../runtime/index.js';
import type { RunConfig } from '../runs/configSchema.js';
import { runsFolder, type RunFolder } from '../runs/runFolder.js';
import { createCache } from './cache.js';
import { requireDisk } from './estimate/disk.js';
import { createFitting, type Fit } from './estimate/fitting.js';
import { requireNoError, type Finding } from './finding.js';
import { chosenMethod } from './method.js';
import { unusedTensors, type Model, type ModelInspection } from './model.js';
import { expectedSources } from './sources/index.js';
import { createTaskChecks } from './taskChecks.js';
import type { Requests } from './work.js';
import { bytesIn, requireWritable } from './writable.js';

/** Where a run is, or the folder that it will be made in. */
export type RunPlace = { run: RunFolder } | { workspace: string };

export interface PreflightRequest {
  config: RunConfig;
  inspection: ModelInspection;
  /** Equal for equal models. */
  modelKey: string;
  /** Rows that are trained on; absent where there are none yet to be had. */
  rows?: RowStore | undefined;
  /** Held-out rows; perhaps none. */
  downstream?: RowStore | undefined;
  /** The provider of a job that has begun; chosen by the configuration when left out. */
  provider?: Provider;
  /** The run takes place in this process, or after it: what it holds now counts as free. */
  inThisProcess: boolean;
  place: RunPlace;
  /** Also what takes seconds, or leaves a trace for a moment; see `taskChecks.ts`, `writable.ts`. */
  thorough: boolean;
}

export interface Preflight {
  findings: Finding[];
  /** The tasks that can be read, with their names in this run. */
  tasks: NamedTask[];
  /** What each task asks, of those without errors. */
  requests: Requests[];
  /** The licenses that a save will copy. */
  licenses: string[];
  /** Absent where it does not work. */
  provider?: Provider | undefined;
  /** What the run needs and what there is; absent where there is no mix, or no provider. */
  fit?: Fit | undefined;
}

/** A preflight that keeps what was asked lately. */
export function createPreflight(): (request: PreflightRequest) => Promise<Preflight> {
  const checkTasks = createTaskChecks();
  const providers = createCache<Provider>();
  const fitting = createFitting();

  return async (request) => {
    const { config, inspection, rows, place, thorough } = request;
    const { model } = inspection;
    const findings: Finding[] = [];
    const tellAt = (field: string) => (problem: CfsError) =>
      void findings.push({ severity: 'error', field, problem });

    for (const problem of inspection.problems) tellAt(fieldOf(problem))(problem);
    const licenses = model ? checkFiles(model, findings) : [];
    const { findings: wrong, tasks, requests } = await checkTasks({ ...request, model });
    findings.push(...wrong);

    const { provider: wanted, threads } = config;
    const chosen = (): Promise<Provider> =>
      request.provider
        ? Promise.resolve(request.provider)
        : providers.get(JSON.stringify([wanted, threads]), () => chooseProvider(wanted, threads));
    const provider = await attemptAsync(chosen, tellAt('provider'));

    const folder = 'run' in place ? place.run.folder : runsFolder(place.workspace);
    attempt(() => requireWritable(folder, thorough), tellAt(''));
    if (model && 'run' in place) {
      attempt(() => requireSaveTarget(model.folder.folder, place.run.paths.model), tellAt(''));
    }
    let fit: Fit | undefined;
    if (model && provider && rows && checkMix(config, model, rows, findings)) {
      const { modelKey, inThisProcess, downstream = joinStores([]) } = request;
      const begun = request.provider !== undefined;
      const facts = { config, model, modelKey, rows, downstream, tasks: requests, provider };
      fit = await fitting({ ...facts, folder, inThisProcess, begun });
      if (fit.problem) tellAt(fit.problem.place.field ?? 'model')(fit.problem);
      const { needed, available } = fit.disk;
      const written = 'run' in place ? bytesIn(folder) : 0;
      attempt(
        () => requireDisk(needed - written, available, folder),
        tellAt('training.keepCheckpoints'),
      );
    }
    return { findings, tasks, requests, licenses, provider, fit };
  };
}

/** Throws the first error that a thorough preflight finds; returns its warnings. */
export async function requireSound(
  request: Pick<PreflightRequest, 'config' | 'rows' | 'downstream' | 'provider' | 'place'> & {
    model: Model;
  },
): Promise<CfsError[]> {
  const { config, model } = request;
  const { findings } = await createPreflight()({
    ...request,
    inspection: { model, problems: [] },
    modelKey: config.model,
    inThisProcess: true,
    thorough: true,
  });
  requireNoError(findings);
  return findings.map(({ problem }) => problem);
}

/** The weights and the files that a save copies; returns the licenses among them. */
function checkFiles(model: Model, findings: Finding[]): string[] {
  const field = 'model';
  const { folder } = model.folder;
  const warn = (problem: CfsError): void =>
    void findings.push({ severity: 'warning', field, problem });
  const { licenses, problems } = inspectCopies(folder);
  for (const problem of problems) findings.push({ severity: 'error', field, problem });
  if (licenses.length === 0) {
    warn(
      new CfsError({
        code: 'LICENSE_MISSING',
        message: 'The model folder has no license, so none is copied to the fine-tuned model.',
        remedy: 'If you pass the model on, put the LICENSE file of the base model into its folder.',
        place: { file: folder },
      }),
    );
  }
  const unused = unusedTensors(model);
  if (unused.length > 0) {
    const names = unused.slice(0, 3).join(', ') + (unused.length > 3 ? ', …' : '');
    warn(
      new CfsError({
        code: 'TENSORS_UNUSED',
        message: `The weights hold ${unused.length === 1 ? 'a tensor' : `${unused.length} tensors`} that this model does not use: ${names}.`,
        remedy:
          'Check that weights and config.json belong together; unused tensors are not trained.',
        place: { file: folder },
      }),
    );
  }
  return licenses;
}

/** Whether the sources can be mixed. */
function checkMix(
  config: RunConfig,
  model: Model,
  rows: RowStore,
  findings: Finding[],
): true | undefined {
  const { generation, mix, training } = config;
  const isBudgeted =
    chosenMethod(config).method.sources.includes('context-free') && generation.count === undefined;
  if (isBudgeted && generation.budget * rows.count < 1 - 1e-9) {
    findings.push({
      severity: 'warning',
      field: 'generation.budget',
      problem: smallBudget(generation.budget, rows.count),
    });
  }
  return attempt(
    () => {
      const sources = expectedSources(config, model, rows);
      const sizes = sources.map((source) => ({ ...source, rows: expectedRows(source.rows) }));
      planEpoch(sizes, { mode: mix.mode, batchRows: training.batchRows });
      return true;
    },
    (problem) =>
      findings.push({ severity: 'error', field: problem.place.field ?? 'training', problem }),
  );
}

function smallBudget(budget: number, rows: number): CfsError {
  // Two digits, rounded up, so that the number that is named is enough.
  const scale = 10 ** (Math.ceil(Math.log10(rows)) + 1);
  const enough = Math.ceil(scale / rows) / scale;
  return new CfsError({
    code: 'BUDGET_SMALL',
    message: `A generation budget of ${budget} is less than one sample for ${rows} dataset ${rows === 1 ? 'row' : 'rows'}; it is rounded up, so 1 sample will be generated.`,
    remedy: `Raise generation.budget (${enough} is enough for one sample), or set generation.count.`,
    place: { field: 'generation.budget' },
  });
}

function fieldOf({ code }: CfsError): string {
  return code === 'BOS_NOT_FOUND' || code === 'BOS_OVERRIDE_UNKNOWN' ? 'generation.bos' : 'model';
}
