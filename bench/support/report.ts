/** What a benchmark leaves behind: its numbers, and the machine and versions they belong to. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { writeFileAtomic } from '../../src/files.js';
import { runtimeVersion } from '../../src/runtime/index.js';
import type { Spread } from './statistics.js';
import { root } from './places.js';

/** The machine, and the versions of ours and of the peers' packages. */
export function machineFacts(peers: Readonly<Record<string, string>>): Record<string, string> {
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} threads`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform}-${process.arch}`,
    node: process.versions.node,
    onnxruntime: runtimeVersion(),
    ...peers,
  };
}

/** Writes `bench/results/NAME.md` and `NAME.json`. `rows` begin with the headings. */
export async function writeResult(
  name: string,
  result: {
    title: string;
    /** Left out: the command of this benchmark. */
    command?: string;
    facts: Record<string, string>;
    rows: readonly string[][];
    notes: readonly string[];
    numbers: object;
  },
): Promise<void> {
  const { title, facts, rows, notes, numbers } = result;
  // Paths of one machine say nothing on another.
  const given = process.argv
    .slice(2)
    .map((argument) => (isAbsolute(argument) ? 'FOLDER' : argument));
  const own = ['npm run', `bench:${name}`, '--', ...given].join(' ');
  const { command = own } = result;
  const lines = [
    `# ${title}`,
    '',
    `Made by \`${command}\`:`,
    '',
    ...Object.entries(facts).map(([key, value]) => `- ${key}: ${value}`),
    '',
    ...markdownTable(rows),
    ...notes.flatMap((note) => ['', note]),
  ];
  await writeFormatted(`${name}.md`, lines.join('\n'));
  // A path of this machine has no place in a result.
  const withoutPaths = (key: string, value: unknown): unknown =>
    key === 'folder' ? undefined : value;
  await writeFormatted(`${name}.json`, JSON.stringify({ facts, ...numbers }, withoutPaths));
  console.log(`written: bench/results/${name}.md and .json`);
}

/** These files are committed, so they have to pass the check of the format. */
async function writeFormatted(name: string, text: string): Promise<void> {
  const filepath = join(root, 'bench', 'results', name);
  const settings = await resolveConfig(filepath);
  writeFileAtomic(filepath, await format(text, { ...settings, filepath }));
}

function markdownTable([head = [], ...body]: readonly string[][]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...body.map(line)];
}

/** `1234 (1200–1300)` */
export function formatSpread({ median, low, high }: Spread, digits = 0): string {
  const format = (value: number): string => value.toFixed(digits);
  return `${format(median)} (${format(low)}–${format(high)})`;
}

export function formatBytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
