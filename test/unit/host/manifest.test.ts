/** The manifest and the code agree: commands, strings, pictures, settings and context keys. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { commandIds } from '../../../src/host/commands/ids.js';
import { providerChoices } from '../../../src/protocol/providers.js';

const root = join(import.meta.dirname, '..', '..', '..');
const text = readFileSync(join(root, 'package.json'), 'utf8');
const strings = z
  .record(z.string(), z.string())
  .parse(JSON.parse(readFileSync(join(root, 'package.nls.json'), 'utf8')));

const menuItem = z.object({ command: z.string(), when: z.string().optional() });
const manifest = z
  .object({
    icon: z.string(),
    contributes: z.object({
      commands: z.array(
        z.object({ command: z.string(), title: z.string(), enablement: z.string().optional() }),
      ),
      menus: z.record(z.string(), z.array(menuItem)),
      viewsContainers: z.object({ activitybar: z.array(z.object({ icon: z.string() })) }),
      views: z.record(z.string(), z.array(z.object({ id: z.string(), icon: z.string() }))),
      viewsWelcome: z.array(z.object({ view: z.string(), when: z.string(), contents: z.string() })),
      configuration: z.object({
        properties: z.record(
          z.string(),
          z.object({ scope: z.string(), enum: z.array(z.string()).optional() }),
        ),
      }),
      walkthroughs: z.array(
        z.object({
          steps: z.array(
            z.object({
              description: z.string(),
              media: z.object({ svg: z.string() }),
              completionEvents: z.array(z.string()),
            }),
          ),
        }),
      ),
    }),
  })
  .parse(JSON.parse(text));
const { commands, menus, viewsContainers, views, viewsWelcome, configuration, walkthroughs } =
  manifest.contributes;
const steps = walkthroughs.flatMap((walkthrough) => walkthrough.steps);

const sources = readdirSync(join(root, 'src', 'host'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => readFileSync(join(root, 'src', 'host', path), 'utf8'))
  .join('\n');

describe('package.json', () => {
  it('contributes the commands that the code registers, and no others', () => {
    const contributed = commands.map(({ command }) => command);
    expect(contributed.toSorted()).toEqual([...commandIds].toSorted());
  });

  it('names only such commands in menus, links and events', () => {
    const linked = [...JSON.stringify(strings).matchAll(/\(command:(cfs\.\w+)\)/g)];
    const inEvents = steps.flatMap(({ completionEvents }) =>
      completionEvents.flatMap((event) => /^onCommand:(.*)$/.exec(event)?.[1] ?? []),
    );
    const inMenus = Object.values(menus).flatMap((items) => items.map(({ command }) => command));
    const named = [...linked.map((match) => match[1]), ...inEvents, ...inMenus];
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((id) => !commandIds.some((known) => known === id))).toEqual([]);
  });

  it('has every string in package.nls.json, which has no other', () => {
    const used = [...text.matchAll(/"%([\w.]+)%"/g)].map((match) => match[1]);
    expect([...new Set(used)].toSorted()).toEqual(Object.keys(strings).toSorted());
  });

  it('has the pictures it names', () => {
    const pictures = [
      manifest.icon,
      ...viewsContainers.activitybar.map(({ icon }) => icon),
      ...Object.values(views).flatMap((list) => list.map(({ icon }) => icon)),
      ...steps.map(({ media }) => media.svg),
    ];
    expect(pictures.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('has walkthrough pictures that need no style sheet, which that page drops', () => {
    const pictures = steps.map(({ media }) => readFileSync(join(root, media.svg), 'utf8'));
    expect(pictures.filter((svg) => /<style|\b(style|class)=/.test(svg))).toEqual([]);
  });

  it('offers the providers that a run knows', () => {
    expect(configuration.properties['cfs.provider']?.enum).toEqual([...providerChoices]);
  });

  it('has only settings that the code reads', () => {
    const names = Object.keys(configuration.properties).map((name) => name.replace('cfs.', ''));
    expect(names.filter((name) => !sources.includes(`setting('${name}')`))).toEqual([]);
  });

  it('decides by context keys that the code sets', () => {
    const keys = new Set([...text.matchAll(/cfs\.(?:hasRuns|running|canResume)\b/g)].flat());
    expect(
      [...keys].filter(
        (key) => !sources.includes(`set('${key}'`) && !sources.includes(`'${key}',`),
      ),
    ).toEqual([]);
    expect(keys.size).toBe(3);
  });

  it('disables in an untrusted folder whatever runs something', () => {
    const enabled = commands.filter(
      ({ enablement }) => !enablement?.includes('isWorkspaceTrusted'),
    );
    // A greyed entry on a file would not say why; this one does, and runs nothing.
    expect(enabled.map(({ command }) => command)).toEqual(['cfs.fineTuneFile', 'cfs.openDemo']);
  });

  it('welcomes in each of the three situations, and in one at a time', () => {
    const situations = viewsWelcome.map(({ when }) => when);
    expect(situations).toHaveLength(3);
    const holds = (when: string, trusted: boolean, folders: number, hasRuns: boolean): boolean =>
      when.split(' && ').every((term) => {
        const value = term
          .replace('isWorkspaceTrusted', String(trusted))
          .replace('cfs.hasRuns', String(hasRuns));
        if (term.startsWith('workspaceFolderCount')) return (folders === 0) === term.includes('==');
        return value === 'true' || value === '!false';
      });
    for (const trusted of [true, false]) {
      for (const folders of [0, 1]) {
        expect(situations.filter((when) => holds(when, trusted, folders, false))).toHaveLength(1);
      }
    }
  });
});

describe('the menu on a file', () => {
  const conditions = [
    ...(menus['explorer/context'] ?? []),
    ...(menus['editor/title'] ?? []),
    ...(menus['editor/title/context'] ?? []),
  ].map(({ when }) => when ?? '');
  const matches = (extension: string): boolean[] =>
    conditions.map((when) => {
      const pattern = /resourceExtname =~ \/(.+?)\/ &&/.exec(when)?.[1];
      if (pattern !== undefined) return new RegExp(pattern).test(extension);
      return when.includes(`resourceExtname == ${extension} `);
    });

  it.each(['.jsonl', '.json', '.csv'])('is there for %s', (extension) => {
    // In the explorer, on the tab, and either as a button or in the overflow of the title.
    expect(matches(extension).filter(Boolean)).toHaveLength(3);
  });

  it.each(['.txt', '.jsonl.bak', '.yaml', ''])('is absent for “%s”', (extension) => {
    expect(matches(extension)).not.toContain(true);
  });

  it('works for files of this machine and of a remote one', () => {
    // Windows on a remote machine or in a browser see its files under this scheme.
    expect(conditions.every((when) => when.includes('^(file|vscode-remote)$'))).toBe(true);
  });
});
