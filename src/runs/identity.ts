/**
 * The identity of a run, `identity.json`: its settings and the content of everything it was made
 * from. Whatever is used is settled here first: noted when the run begins, compared when it is
 * resumed. A run that was made from something else than it would go on with is refused once, with all
 * that differs, before anything is written that belongs to the other.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { CfsError, formatPlace } from '../errors.js';
import { parseJson } from '../json.js';
import { runIdentitySchema, type InputGroup, type RunInput } from '../protocol/identity.js';
import type { RunIdentity } from '../protocol/identity.js';
import { readSealed, writeSealed } from '../sealed.js';
import { runConfigSchema, type RunConfig } from './configSchema.js';
import { changeRule, isPathField } from './fieldRules.js';
import { flattenFields, withValue, type Values } from './fields.js';
import type { RunFolder } from './runFolder.js';

/** A setting that is not what it was. */
export interface SettingChange {
  field: string;
  was: unknown;
  /** Before and after. */
  inWords: string;
}

/** An input as it is found now, with what people are told of it where it differs. */
export interface FoundInput extends RunInput {
  /** Its name in a sentence: `tokenizer.json of the model`. */
  words?: string;
  /** The files that it was read from. */
  files?: readonly string[];
}

/** The inputs of a group; `problem`: why they cannot be known, where they cannot. */
export interface FoundGroup {
  group: InputGroup;
  inputs: readonly FoundInput[];
  problem?: CfsError;
}

export interface IdentityRecord {
  /** Settings that differ from those the run had last and are allowed to. */
  changedSettings: SettingChange[];
  /**
   * The configuration that the run was made with, where it differs from today's in what may not
   * change: `compare` will refuse the run, and what else differs is found by reading its data so.
   */
  madeWith?: RunConfig;
  /** Whether a group has been noted. */
  knows(group: InputGroup): boolean;
  /**
   * Compares settings and groups with what is noted of them, and changes nothing. `more`: other
   * differences, in words. Throws one `RUN_CHANGED` that names all that differs.
   */
  compare(found: readonly FoundGroup[], more?: readonly string[]): void;
  /**
   * Compares, and notes what is not known yet: groups, and settings that were allowed to change. Throws
   * what `compare` throws, and `WRITE_FAILED`.
   */
  settle(found: readonly FoundGroup[]): void;
  /** A hash over the settings and all that has been settled, for checkpoints. */
  digest(): string;
}

/**
 * The identity of a run that begins or is resumed. `isNew`: nothing of it is there yet. One that is
 * there changes only once it has been compared. Throws `RECORD_BROKEN` for a file that is damaged or
 * missing.
 */
export function openIdentity(run: RunFolder, { isNew }: { isNew: boolean }): IdentityRecord {
  const file = run.paths.identity;
  const settings = settingsOf(run.config);
  const known = isNew ? undefined : readIdentity(run);
  if (!isNew && known === undefined) throw missing(file);
  const { refused, allowed } = compareSettings(
    known?.settings ?? settings,
    settings,
    known !== undefined && hasBegunToTrain(known),
  );
  let identity: RunIdentity = { format: 1, settings, groups: known?.groups ?? [] };
  // From here on something says that the run has begun.
  if (isNew) writeSealed(file, identity);
  let isWritten = isNew;
  const inputsOf = (wanted: InputGroup): readonly RunInput[] | undefined =>
    identity.groups.find(({ group }) => group === wanted)?.inputs;
  const compare: IdentityRecord['compare'] = (found, more = []) => {
    const differences = [
      ...refused.map(({ inWords }) => inWords),
      ...more,
      ...compareGroups(found, inputsOf),
    ];
    if (differences.length > 0) throw changed(run, differences);
  };
  return {
    changedSettings: allowed,
    ...(refused.length > 0 ? { madeWith: withSettings(run.config, refused) } : {}),
    knows: (group) => inputsOf(group) !== undefined,
    compare,
    settle: (found) => {
      compare(found);
      const added = found.filter(({ group }) => inputsOf(group) === undefined);
      if (added.length === 0 && isWritten) return;
      const noted = added.map(({ group, inputs }) => ({ group, inputs: inputs.map(noteOf) }));
      identity = { ...identity, groups: [...identity.groups, ...noted] };
      writeSealed(file, identity);
      isWritten = true;
    },
    digest: () => {
      const inputs = identity.groups.map(({ group, inputs }) => [
        group,
        inputs.map(({ name, hash }) => [name, hash]),
      ]);
      const content = JSON.stringify([decisive(settings), inputs]);
      return createHash('sha256').update(content).digest('hex');
    },
  };
}

/** What a run was made from, as far as it has come; undefined before it begins. Throws `RECORD_BROKEN`. */
export function readIdentity(run: Pick<RunFolder, 'paths'>): RunIdentity | undefined {
  return readSealed(run.paths.identity, runIdentitySchema, { remedy: startAnew });
}

/** Whether the base model may have been measured: the tasks are settled just before. */
export function hasBegunToTrain({ groups }: RunIdentity): boolean {
  return groups.some(({ group }) => group === 'tasks');
}

/** Every setting but paths, of whose files the content counts. */
function settingsOf(config: RunConfig): Record<string, unknown> {
  const fields = Object.entries(flattenFields(config)).filter(([field]) => !isPathField(field));
  // As it will be read again.
  return z
    .record(z.string(), z.unknown())
    .parse(parseJson(JSON.stringify(Object.fromEntries(fields))));
}

/** The settings that decide what a run is and are not at their defaults, which later versions add. */
function decisive(settings: Record<string, unknown>): [string, unknown][] {
  const defaults = defaultSettings();
  return Object.entries(settings)
    .filter(([field, value]) => !isDeepStrictEqual(value, defaults.get(field)))
    .filter(([field]) => changeRule(field) !== 'always')
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function defaultSettings(): ReadonlyMap<string, unknown> {
  const config = runConfigSchema.parse({ model: '-', dataset: '-' });
  return new Map(Object.entries(settingsOf(config)));
}

function compareSettings(
  before: Record<string, unknown>,
  now: Record<string, unknown>,
  trains: boolean,
): { refused: SettingChange[]; allowed: SettingChange[] } {
  const [old, current] = [new Map(Object.entries(before)), new Map(Object.entries(now))];
  const defaults = defaultSettings();
  const refused: SettingChange[] = [];
  const allowed: SettingChange[] = [];
  for (const field of new Set([...old.keys(), ...current.keys()])) {
    const [was, is] = [old.get(field), current.get(field)];
    // A field that came with a later version, at its default, changes nothing.
    if (isDeepStrictEqual(was ?? defaults.get(field), is)) continue;
    const rule = changeRule(field);
    const isAllowed = rule === 'always' || (rule === 'until-training' && !trains);
    const list = isAllowed ? allowed : refused;
    const before = rule === 'until-training' && trains ? 'training began with' : 'was';
    const inWords = `${field}: ${before} ${settingInWords(was)}, is now ${settingInWords(is)}`;
    list.push({ field, was, inWords });
  }
  return { refused, allowed };
}

/** `config` with what these settings were; as it is where that makes no configuration any more. */
function withSettings(config: RunConfig, changes: readonly SettingChange[]): RunConfig {
  const before = changes.reduce<Values>(
    (values, { field, was }) => withValue(values, field, was),
    config,
  );
  return runConfigSchema.safeParse(before).data ?? config;
}

/** In what the groups differ from what is known of them, in words. */
function compareGroups(
  found: readonly FoundGroup[],
  inputsOf: (group: InputGroup) => readonly RunInput[] | undefined,
): string[] {
  let readerDiffers = false;
  return found.flatMap(({ group, inputs, problem }) => {
    const before = inputsOf(group);
    if (before === undefined) return [];
    if (problem) return [unknown(group, before, problem)];
    const differences = compareInputs(group, before, inputs);
    if (group === 'model') {
      const readers = compareInputs(group, before.filter(isReader), inputs.filter(isReader));
      readerDiffers = readers.length > 0;
    }
    // The same words may have become other tokens.
    const isRead = group === 'dataset' || group === 'held-out rows';
    return differences.map((line) =>
      isRead && readerDiffers ? `${line}, read with the changed model` : line,
    );
  });
}

/** Whether a file of a model may decide how rows are read: all but its weights. */
function isReader({ name }: RunInput): boolean {
  return !name.endsWith('.safetensors');
}

function compareInputs(
  group: InputGroup,
  before: readonly RunInput[],
  now: readonly FoundInput[],
): string[] {
  const [old, current] = [byName(before), byName(now)];
  return [...new Set([...old.keys(), ...current.keys()])].flatMap((name) => {
    const [was, is] = [old.get(name), current.get(name)];
    if (was?.hash === is?.hash) return [];
    const what = is?.words ?? (name === group ? group : `${itemWords[group] ?? group} “${name}”`);
    const where = is?.files ? ` (${is.files.join(', ')})` : '';
    return [`${what}${where}: was ${describe(was)}, is now ${describe(is)}`];
  });
}

/** What one input of a group is called, where nothing better is known. */
const itemWords: Partial<Record<InputGroup, string>> = {
  model: 'model file',
  tasks: 'task file',
  sources: 'source',
};

function unknown(group: InputGroup, before: readonly RunInput[], problem: CfsError): string {
  const where = formatPlace(problem.place);
  const place = where === '' ? '' : ` (${where})`;
  return `${group}${place}: was ${describeInputs(before)}, cannot be read now (${problem.code})`;
}

/** What is kept of an input. */
function noteOf({ name, hash, size }: FoundInput): RunInput {
  return { name, hash, ...(size === undefined ? {} : { size }) };
}

function byName<T extends RunInput>(inputs: readonly T[]): Map<string, T> {
  return new Map(inputs.map((input) => [input.name, input]));
}

/** Inputs of a group in one line. */
export function describeInputs(inputs: readonly RunInput[]): string {
  const [first, ...others] = inputs;
  if (first === undefined) return 'none';
  if (others.length === 0) return describe(first);
  const hash = createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
  return describe({ name: '', hash, size: `${inputs.length} files` });
}

/** A size, where there is one, and the beginning of the hash. */
function describe(input: RunInput | undefined): string {
  if (input === undefined) return 'not there';
  const hash = input.hash.slice(0, 8);
  return input.size === undefined ? `SHA-256 ${hash}…` : `${input.size} (SHA-256 ${hash}…)`;
}

function settingInWords(value: unknown): string {
  return value === undefined ? 'not set' : JSON.stringify(value);
}

const startAnew = "Restore the file from a backup, or start a new run from this run's run.yaml.";

function changed(run: RunFolder, differences: readonly string[]): CfsError {
  const [only] = differences;
  const list =
    differences.length === 1 ? ` ${only}.` : differences.map((line) => `\n  - ${line}`).join('');
  return new CfsError({
    code: 'RUN_CHANGED',
    message: `This run was made with something else:${list}`,
    remedy: `Restore what it was and resume, or start a new run, from step 0, with \`cfs-studio run ${run.paths.config}\`.`,
    place: { file: run.folder },
  });
}

function missing(file: string): CfsError {
  return new CfsError({
    code: 'RECORD_BROKEN',
    message: 'The file that says what this run was made from is missing.',
    remedy: startAnew,
    place: { file },
  });
}
