/**
 * The one JSON file and the one log of a GPU check. The file is written anew whenever something is
 * known, so that whatever ends the check leaves all that was found until then.
 */
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from './children.js';
import type { Check, CheckRecord, Measurement } from './record.js';

export interface Keeper {
  record: CheckRecord;
  log: (text: string) => void;
  /** A line for whoever looks on, and for the log. */
  say: (text: string) => void;
  /** Writes down what the record holds now. */
  save: () => void;
  addCheck: (check: Check) => void;
  /** Adds one, whose fields may still be filled in; `save` writes them down. */
  addMeasurement: (measurement: Measurement) => Measurement;
}

export function createKeeper(
  folder: string,
  clock: Clock,
  record: CheckRecord,
  print: (line: string) => void,
  /** A temporary folder, which has no place in a result. */
  work?: string,
): Keeper {
  mkdirSync(folder, { recursive: true });
  const [json, logFile] = [join(folder, 'gpu.json'), join(folder, 'gpu.log')];
  const log = (text: string): void => appendFileSync(logFile, text);
  const say = (text: string): void => {
    const line = `[${clock.seconds().toFixed(0).padStart(3)} s] ${text}\n`;
    print(line);
    log(line);
  };
  const save = (): void => {
    record.seconds = clock.seconds();
    const text = JSON.stringify(record, null, 1);
    const short = work === undefined ? text : text.replaceAll(work, 'WORK');
    writeFileSync(`${json}.part`, `${short}\n`);
    renameSync(`${json}.part`, json);
  };
  return {
    record,
    log,
    say,
    save,
    addCheck: (check) => {
      record.checks.push(check);
      say(`${check.state}: ${check.name}: ${check.about}`);
      save();
    },
    addMeasurement: (measurement) => {
      record.measurements.push(measurement);
      save();
      return measurement;
    },
  };
}
