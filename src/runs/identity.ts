/**
 * The identity of a run, `identity.json`: its settings and the content of everything it was made
 * from. Whatever is used is settled here first: noted when the run begins, compared when it is
 * resumed. A run that was made from something else than it would go on with is refused, before
 * anything is written that belongs to the other.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { CfsError } from '../errors.js';
import { runIdentitySchema, type InputGroup, type RunInput } from '../protocol/identity.js';
import type { RunIdentity } from '../protocol/identity.js';
import { readSealed, writeSealed } from '../sealed.js';
import { runConfigSchema, type RunConfig } from './configSchema.js';
import { changeRule, isPathField } from './fieldRules.js';
import { flattenFields } from './fields.js';
import type { RunFolder } from './runFolder.js';

/** A setting that is not what it was. */
export interface SettingChange {
  field: string;
  /** Before and after. */
  inWords: string;
}

export interface IdentityRecord {
  /** Settings that differ from those the run had last and are allowed to. */
  changedSettings: SettingChange[];
  /**
   * Notes what a group consists of, or compares it where it is known already. Throws `RUN_CHANGED`,
   * naming every input of these groups that differs, and `WRITE_FAILED`.
   */
  settle(groups: readonly [InputGroup, readonly RunInput[]][]): void;
  /** A hash over the settings and all that has been settled, for checkpoints. */
  digest(): string;
}

/**
 * The identity of a run that begins or is resumed. `isNew`: nothing of it is there yet. Throws
 * `RUN_CHANGED` where a setting differs that decides what the run is, and `RECORD_BROKEN` for a file
 * that is damaged or missing.
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
  if (refused.length > 0)
    throw changed(
      run,
      refused.map(({ inWords }) => inWords),
    );
  let identity: RunIdentity = { format: 1, settings, groups: known?.groups ?? [] };
  writeSealed(file, identity);
  return {
    changedSettings: allowed,
    settle: (groups) => {
      const differences: string[] = [];
      const added: RunIdentity['groups'] = [];
      for (const [group, inputs] of groups) {
        const before = identity.groups.find((one) => one.group === group)?.inputs;
        if (before === undefined) added.push({ group, inputs: [...inputs] });
        else differences.push(...compareInputs(group, before, inputs));
      }
      if (differences.length > 0) throw changed(run, differences);
      if (added.length === 0) return;
      identity = { ...identity, groups: [...identity.groups, ...added] };
      writeSealed(file, identity);
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
    .parse(JSON.parse(JSON.stringify(Object.fromEntries(fields))));
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
    list.push({ field, inWords: difference(field, inWords(was), inWords(is)) });
  }
  return { refused, allowed };
}

function compareInputs(
  group: InputGroup,
  before: readonly RunInput[],
  now: readonly RunInput[],
): string[] {
  const [old, current] = [byName(before), byName(now)];
  return [...new Set([...old.keys(), ...current.keys()])].flatMap((name) => {
    const [was, is] = [old.get(name), current.get(name)];
    if (was?.hash === is?.hash) return [];
    const what = name === group ? group : `${group}: ${name}`;
    return [difference(what, describe(was), describe(is))];
  });
}

function byName(inputs: readonly RunInput[]): Map<string, RunInput> {
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

function difference(what: string, was: string, is: string): string {
  return `${what}: was ${was}, is now ${is}`;
}

function inWords(value: unknown): string {
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
