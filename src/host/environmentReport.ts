/**
 * What “Check Environment” found, as a page to read: can this machine train, which provider will it
 * use, and what to do about what does not work.
 */
import { formatBytes, formatNumber } from '../protocol/format.js';
import { markdownCode, markdownText } from '../text.js';
import type { DoctorReport } from '../protocol/providers.js';
import { own } from '../own.js';

/** What a provider is, for people who never heard of it. */
const about: Record<string, string> = {
  cpu: 'the processor',
  webgpu: 'the graphics card, through WebGPU',
  cuda: 'an NVIDIA graphics card, through CUDA',
  dml: 'the graphics card on Windows, through DirectML',
  coreml: 'Apple hardware, through Core ML',
};

/** Markdown. */
export function describeEnvironment({ versions, system, providers }: DoctorReport): string {
  const chosen = providers.find((provider) => provider.chosen);
  const verdict =
    chosen === undefined
      ? '**This machine cannot train yet.** See below for what to do.'
      : `**This machine can train.** It will run on ${nameOf(chosen.name)}.`;
  return [
    '# CFS Studio: this machine',
    verdict,
    '## Providers',
    table(
      ['Provider', 'What it is', 'Works', 'One small step'],
      providers.map(({ name, works, chosen: isChosen, milliseconds }) => [
        markdownCode(name),
        about[name] ?? '',
        works ? (isChosen ? 'yes, chosen' : 'yes') : 'no',
        milliseconds === undefined ? '' : `${formatNumber(milliseconds, 3)} ms`,
      ]),
    ),
    'The fastest one is chosen unless a run or the setting `cfs.provider` names another.',
    ...whatToDo(providers),
    '## The machine',
    table(
      ['', ''],
      [
        ['System', markdownText(system.platform)],
        ['Processor', `${markdownText(system.cpu)}, ${system.cores} cores`],
        ['Memory', `${formatBytes(system.memory)}, ${formatBytes(system.freeMemory)} of it free`],
      ],
    ),
    '## Versions',
    table(
      ['', ''],
      Object.entries(versions).map((row) => row.map(markdownText)),
    ),
  ]
    .join('\n\n')
    .concat('\n');
}

function whatToDo(providers: DoctorReport['providers']): string[] {
  const broken = providers.filter(({ works }) => !works);
  if (broken.length === 0) return [];
  const items = broken.map(({ name, reason, remedy }) => {
    const why = [reason, remedy].filter((part) => part !== undefined).map(sentence);
    return `- ${markdownCode(name)}: ${why.length === 0 ? 'does not work here.' : why.join(' ')}`;
  });
  return ['## What does not work, and what to do', items.join('\n')];
}

/** What a runtime says may lack its full stop. */
function sentence(text: string): string {
  const line = markdownText(text);
  return /[.!?]$/.test(line) ? line : `${line}.`;
}

function nameOf(provider: string): string {
  const words = own(about, provider);
  return words === undefined ? markdownCode(provider) : `${words} (${markdownCode(provider)})`;
}

/** Its cells are Markdown. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
