/**
 * The promise of the run folder: a process killed with SIGKILL at any moment can be resumed, and the
 * end is that of a run that was never killed, to the byte. The same where its machine is gone; should
 * that come back, it does not write into what another goes on with.
 */
import type { ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { timeWorked } from '../../src/protocol/history.js';
import { createRandom, type Random } from '../../src/random.js';
import {
  listRuns,
  openRun,
  readEvents,
  readKlSamples,
  readResults,
  readSamples,
} from '../../src/runs/runFolder.js';
import { buildPrograms, oneProcess, start } from '../support/build.js';
import { temporaryFolder, writeWorkspace } from '../support/tinyModel.js';

const kills = 20;
const { cli } = buildPrograms();
const workspace = writeWorkspace(temporaryFolder(), {
  generation: { count: 24 },
  training: { steps: 24, checkpointEvery: 5 },
  evaluation: { every: 10, bestBy: 'downstream' },
});

/** Where kills hurt: in each phase, while a checkpoint or the model is written, and anywhere. */
const aims: Aim[] = [
  { within: 800 },
  { line: /"phase":"loading"/, within: 60 },
  { line: /"sample_progress"(.*\n)*.*"sample_progress"/, within: 25 },
  { line: /"phase":"evaluating"/, within: 30 },
  { line: /"train_step".*"step":(5|10|15|20),/, within: 12 },
  { line: /"train_step"/, within: 80 },
  { line: /"phase":"saving"/, within: 25 },
];

/** Starts the job of `folder`, or resumes it. */
function launch(folder: string) {
  const [run] = listRuns(folder);
  const args = run ? ['resume', run.id] : ['run', join(workspace, 'run.yaml')];
  return start(cli, [...args, '--json', '-C', folder], workspace, oneProcess);
}

/** What must not depend on kills. Timings and the report's and the log's times do. */
function outcome(folder: string) {
  const [summary] = listRuns(folder);
  if (!summary) throw new Error('no run');
  const run = openRun(summary.folder);
  const sorted = (samples: Iterable<{ index: number }>) =>
    [...samples].toSorted((a, b) => a.index - b.index);
  const results = readResults(run);
  return {
    state: summary.state,
    files: (readdirSync(run.folder, { recursive: true }) as string[]).toSorted(),
    model: readFileSync(join(run.paths.model, 'model.safetensors')).toString('base64'),
    samples: sorted(readSamples(run)),
    heldOut: sorted(readKlSamples(run)),
    savedStep: results?.savedStep,
    tasks: results?.tasks,
    downstream: results?.downstream,
    kl: results?.kl,
  };
}

describe('a run that is killed', () => {
  it(`ends as if never killed, ${kills} kills in all`, { timeout: 400_000 }, async () => {
    const reference = join(workspace, 'reference');
    mkdirSync(reference);
    const whole = await launch(reference).ended;
    expect(whole).toMatchObject({ code: 0, err: '' });
    const expected = outcome(reference);
    expect(expected.state).toBe('finished');

    const random = createRandom(2024);
    const killedIn = new Map<string, number>();
    let [done, runs] = [0, 0];
    while (done < kills) {
      // As many runs as it takes to be killed so often.
      const folder = join(workspace, `killed-${runs++}`);
      mkdirSync(folder);
      while (listRuns(folder)[0]?.state !== 'finished') {
        const { child, ended } = launch(folder);
        const aim = aims[done % aims.length];
        if (done < kills && aim) killAfter(child, aim, random);
        const { code, signal, err } = await ended;
        if (signal === 'SIGKILL') {
          done++;
          const phase = lastPhase(folder);
          killedIn.set(phase, (killedIn.get(phase) ?? 0) + 1);
        } else {
          expect({ code, err }).toEqual({ code: 0, err: '' });
        }
      }
      expect(outcome(folder)).toEqual(expected);
    }
    expect(done).toBe(kills);
    const phases = ['generating', 'evaluating', 'training', 'saving'];
    expect([...killedIn.keys()]).toEqual(expect.arrayContaining(phases));
  });
});

describe('a run whose machine is gone', () => {
  const folder = join(workspace, 'gone');
  const far = { host: 'far-away', boot: 'another boot', pid: 4321, started: null };
  const resume = (...options: string[]) => {
    const id = listRuns(folder)[0]?.id ?? '';
    return start(cli, ['resume', id, '-C', folder, ...options], workspace);
  };

  it('is taken over after a silence, goes on, and counts the time of both', async () => {
    mkdirSync(folder);
    const args = ['run', join(workspace, 'run.yaml'), '--until', 'samples', '-C', folder];
    expect(await start(cli, args, workspace).ended).toMatchObject({ code: 0, err: '' });
    const run = openRun(listRuns(folder)[0]?.folder ?? '');
    const before = timeWorked(readEvents(run));
    writeFileSync(run.paths.lock, JSON.stringify(far));
    const refused = await resume().ended;
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(
      /^RUN_LOCKED: .* process 4321 on far-away;.*\n {2}at .*lock\n {2}→ /,
    );

    const long = Date.now() / 1000 - 300;
    utimesSync(run.paths.lock, long, long);
    const { code, out } = await resume().ended;
    expect(code).toBe(0);
    expect(out).toMatch(
      /warning RUN_TAKEN_OVER: .* from process 4321 on far-away, .* 5 min \d+ s\./,
    );
    expect(existsSync(run.paths.lock)).toBe(false);
    const { total, ...phases } = readResults(run)?.timings ?? {};
    expect(total).toBeGreaterThan(before.total);
    expect(phases.generating).toBeGreaterThanOrEqual(before.generating ?? Infinity);
    expect(Object.values(phases).reduce((sum, seconds) => sum + seconds)).toBeCloseTo(
      total ?? 0,
      6,
    );
  });

  it('stops where it wakes up again, and leaves the run to the other', async () => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    const { child, ended } = launch(folder);
    let lock = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      if (lock !== '' || !chunk.includes('"train_step"')) return;
      lock = join(listRuns(folder)[0]?.folder ?? '', 'lock');
      writeFileSync(lock, JSON.stringify(far));
    });
    const { code, err } = await ended;
    expect(code).toBe(1);
    expect(err).toMatch(/^RUN_LOCK_LOST: .* process 4321 on far-away/);
    expect(readFileSync(lock, 'utf8')).toBe(JSON.stringify(far));
    const run = openRun(listRuns(folder)[0]?.folder ?? '');
    expect(readEvents(run).at(-1)?.type).not.toMatch(/^run_/);
  });
});

interface Aim {
  /** The output to wait for; none: from the start of the process. */
  line?: RegExp;
  /** Up to so many milliseconds after it. */
  within: number;
}

/** Kills the process a random time after what it aims at. */
function killAfter(child: ChildProcess, { line, within }: Aim, random: Random): void {
  let text = '';
  let armed = false;
  const kill = (): void => {
    if (armed) return;
    armed = true;
    void sleep(random.uniform() * within).then(() => child.kill('SIGKILL'));
  };
  if (!line) return kill();
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (line.test(text)) kill();
  });
}

/** The phase that a killed run was in, by its log. */
function lastPhase(folder: string): string {
  const [run] = listRuns(folder);
  if (!run || !existsSync(join(run.folder, 'events.jsonl'))) return 'starting';
  const events = readEvents(openRun(run.folder));
  const last = events.findLast(({ type }) => type === 'phase');
  return last?.type === 'phase' ? last.phase : 'starting';
}
