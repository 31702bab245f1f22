/**
 * What was learned against what was kept, over runs: a point for each finished run. Only runs that share
 * model, dataset and measure are comparable, so they come in groups.
 */
import { methodNames } from '../../../src/methods/index.js';
import { unitOf } from '../../../src/protocol/metrics.js';
import type { RunResults } from '../../../src/protocol/records.js';
import type { RunInfo } from '../../../src/protocol/runInfo.js';

export interface FinishedRun {
  info: RunInfo;
  label: string;
  results: RunResults;
}

export interface ScatterPoint {
  runId: string;
  label: string;
  /** Its name. */
  method: string;
  /** Downstream score. */
  x: number;
  /** Mean change over the tasks of the unit, positive is better. */
  y: number;
}

export interface ScatterGroup {
  key: string;
  label: string;
  /** Unit and direction of the downstream score. */
  xUnit: string;
  higherIsBetter: boolean;
  /** Points for each unit of the tasks. */
  units: { unit: string; tasks: number; points: ScatterPoint[] }[];
  runs: number;
}

/** The methods of points: known ones in their order, so that a method keeps its style. */
export function methodsOf(points: readonly ScatterPoint[]): { name: string; style: number }[] {
  const names = [...new Set([...methodNames, ...points.map(({ method }) => method)])];
  return names
    .map((name, style) => ({ name, style }))
    .filter(({ name }) => points.some(({ method }) => method === name));
}

/** The group of the newest run first, if `runs` are the newest first. */
export function scatterGroups(runs: readonly FinishedRun[]): ScatterGroup[] {
  const groups = new Map<string, FinishedRun[]>();
  for (const run of runs) {
    const { downstream } = run.results;
    if (downstream === undefined || downstream.final.score === null) continue;
    const key = JSON.stringify([run.info.model, run.info.datasets, downstream.metric]);
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups].flatMap(([key, members]): ScatterGroup[] => {
    const [first] = members;
    const downstream = first?.results.downstream;
    if (first === undefined || downstream === undefined) return [];
    const data = first.info.datasets.map(nameOf).join(', ');
    return [
      {
        key,
        label: `${data} on ${nameOf(first.info.model ?? 'an unknown model')}`,
        xUnit: unitOf(downstream.metric),
        higherIsBetter: downstream.higherIsBetter,
        units: unitsOf(members),
        runs: members.length,
      },
    ];
  });
}

function unitsOf(runs: readonly FinishedRun[]): ScatterGroup['units'] {
  const names = [...new Set(runs.flatMap(({ results }) => results.forgetting.map((f) => f.unit)))];
  const units = names.map((unit) => {
    const points = runs.flatMap(({ info, label, results }): ScatterPoint[] => {
      const x = results.downstream?.final.score ?? null;
      const lost = results.forgetting.find((each) => each.unit === unit)?.averageForgetting ?? null;
      if (x === null || lost === null) return [];
      // Not “−lost”, which would make a zero negative.
      return [{ runId: info.id, label, method: results.method, x, y: 0 - lost }];
    });
    const counts = runs.map(
      ({ results }) => results.forgetting.find((each) => each.unit === unit)?.tasks ?? 0,
    );
    return { unit, tasks: Math.max(...counts), points };
  });
  // The unit of most tasks first, as with the curves.
  return units.sort((a, b) => b.tasks - a.tasks);
}

/** The last part of a path, whichever way its slashes lean. */
function nameOf(path: string): string {
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
}
