/**
 * The parts of a job that are of use by themselves: read samples, check a dataset, score a model,
 * look at the machine. They return data; whoever asked shows it.
 */
import { CfsError } from '../errors.js';
import type { DatasetReport } from '../mixer/dataset.js';
import type { MixPreview } from '../mixer/preview.js';
import type {
  RunEvent,
  RunEventOf,
  SampleDiagnostics,
  SampleRecord,
  TaskScore,
} from '../protocol/records.js';
import type { RunConfig } from '../runs/configSchema.js';

export type StartToken = Pick<RunEventOf<'bos_found'>, 'id' | 'token' | 'reason'>;

export interface GenerateOptions {
  config: RunConfig;
  /** Samples to write; the configuration's budget when left out. */
  count?: number;
  signal: AbortSignal;
  onEvent: (event: RunEvent) => void;
  onSample: (sample: SampleRecord) => void;
}

export interface GenerateData {
  bos: StartToken;
  diagnostics: SampleDiagnostics;
}

export interface ValidateData {
  dataset: DatasetReport;
  /** What would be trained on; absent when the dataset has no usable row. */
  preview?: MixPreview;
  bos: StartToken;
}

export interface EvaluateOptions {
  config: RunConfig;
  /** A model folder, scored on the configuration's tasks. */
  model: string;
  signal: AbortSignal;
  onEvent: (event: RunEvent) => void;
}

export interface EvaluateData {
  tasks: TaskScore[];
  downstream?: TaskScore;
}

export interface ProviderCheck {
  name: string;
  works: boolean;
  /** What `provider: auto` would take. */
  chosen: boolean;
  /** One tiny training step. */
  milliseconds?: number;
  /** Why it does not work, and what to do. */
  reason?: string;
  remedy?: string;
}

export interface DoctorData {
  versions: Record<string, string>;
  system: { platform: string; cpu: string; cores: number; memory: number; freeMemory: number };
  providers: ProviderCheck[];
}

export const generateCommand: (options: GenerateOptions) => Promise<GenerateData> = notBuilt;
export const validateCommand: (options: { config: RunConfig }) => Promise<ValidateData> = notBuilt;
export const evaluateCommand: (options: EvaluateOptions) => Promise<EvaluateData> = notBuilt;
export const doctorCommand: () => Promise<DoctorData> = notBuilt;

function notBuilt(): never {
  throw new CfsError({
    code: 'NOT_BUILT',
    message: 'This command is not built yet.',
    remedy: 'Wait for the commit that adds it.',
  });
}
