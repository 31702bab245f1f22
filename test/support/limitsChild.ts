/**
 * Reads hostile files in a process of its own, so that one that hangs can be ended and what each takes
 * can be measured: a list of jobs comes in, and a line for each goes out.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { hashFiles } from '../../src/engine/identity/hashFiles.js';
import { fileInput } from '../../src/engine/identity/inputs.js';
import { inspectModel } from '../../src/engine/model.js';
import { CfsError } from '../../src/errors.js';
import { readDocuments } from '../../src/evaluator/documents.js';
import { readDefinition } from '../../src/evaluator/task.js';
import { scanDataset } from '../../src/mixer/dataset.js';
import { openSafetensors } from '../../src/model/safetensors.js';
import {
  itemRecordSchema,
  runResultsSchema,
  sampleRecordSchema,
} from '../../src/protocol/records.js';
import { readRunConfig } from '../../src/runs/config.js';
import { readExclusions } from '../../src/runs/exclusions.js';
import { checkJsonLines, readJsonLines, readLastJsonLine } from '../../src/runs/jsonLines.js';
import { isLocked } from '../../src/runs/lock.js';
import { runPaths } from '../../src/runs/runFolder.js';
import { readSampleTokens } from '../../src/runs/sampleIndex.js';
import { createLineCounter, createTailReader } from '../../src/runs/tail.js';
import { readVitals } from '../../src/runs/vitals.js';
import { readSealed } from '../../src/sealed.js';

const loose = z.looseObject({});

/** Each gives, or throws, what is wrong with the file; nothing where it can be read. */
const readers: Record<string, (file: string) => unknown> = {
  'run.yaml': (file) => void readRunConfig(file),
  task: (file) => void readDefinition(file),
  'task data': (file) => void readDocuments(file),
  dataset: async (file) => {
    const { problems } = await scanDataset([file], {});
    return problems.find(({ severity }) => severity === 'error');
  },
  model: (folder) => inspectModel(folder).problems[0],
  safetensors: (file) => void openSafetensors(file),
  'sealed file': (file) => void readSealed(file, runResultsSchema, { remedy: '' }),
  'excluded.json': (file) =>
    void readExclusions({
      id: '',
      folder: '',
      config: {} as never,
      paths: { ...runPaths(''), excluded: file },
    }),
  'a log, read': (file) => {
    const problems: CfsError[] = [];
    const tell = (problem: CfsError): number => problems.push(problem);
    const records = readJsonLines(file, sampleRecordSchema, undefined, tell);
    while (records.next().done !== true);
    return problems[0];
  },
  'a log, checked': (file) => void checkJsonLines(file, itemRecordSchema),
  'a log, from its end': (file) => void readLastJsonLine(file, loose.extend({ type: z.string() })),
  'a log, followed': async (file) => {
    const problems: CfsError[] = [];
    const tail = createTailReader(file, sampleRecordSchema, (one) => problems.push(one));
    await tail.read(() => undefined);
    return problems[0];
  },
  'a log, counted': async (file) => {
    const counter = createLineCounter(file);
    await counter.count();
    return counter.problem();
  },
  'a sample': async (file) => {
    await readSampleTokens(file, new Map([[0, { start: 0, length: 10 }]]), [0]);
  },
  hash: async (file) => void (await hashFiles([file], { verify: true }).hashes),
  'hash of a small file': (file) => void fileInput('file', file),
  lock: (file) => void isLocked(file),
  vitals: (file) => void readVitals(file),
};

const jobs = z
  .array(z.object({ reader: z.string(), file: z.string() }))
  .parse(JSON.parse(readFileSync(0, 'utf8')));
for (const { reader, file } of jobs) {
  const before = process.cpuUsage();
  const problem = await problemOf(() => readers[reader]?.(file));
  const { user, system } = process.cpuUsage(before);
  const { code, message, place } = problem ?? {};
  const cpuMs = Math.round((user + system) / 1000);
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1000);
  console.log(
    JSON.stringify({ reader, file, cpuMs, peakMb, code, message: message?.slice(0, 300), place }),
  );
}
process.exit(0);

async function problemOf(read: () => unknown): Promise<Partial<CfsError> | undefined> {
  try {
    const problem = await read();
    if (problem instanceof CfsError) return problem;
    if (problem === undefined) return undefined;
    const { code, message, ...place } = problem as CfsError;
    return { code, message, place: place as CfsError['place'] };
  } catch (error) {
    if (error instanceof CfsError) return error;
    return { message: `THROWN ${String(error)}` };
  }
}
