/** The memory of this process, measured as the PyTorch peer measures its own. */
import { existsSync, readFileSync } from 'node:fs';

/** Resident bytes: now (`VmRSS`) or the highest ever (`VmHWM`). */
export function residentBytes(field: 'VmRSS' | 'VmHWM'): number {
  const found = statusBytes('self', field);
  if (found !== undefined) return found;
  return field === 'VmRSS' ? process.memoryUsage.rss() : process.resourceUsage().maxRSS * 1024;
}

/** The same of any process; undefined where the system does not tell, or the process has ended. */
export function statusBytes(
  process: number | 'self',
  field: 'VmRSS' | 'VmHWM',
): number | undefined {
  const status = `/proc/${process}/status`;
  if (!existsSync(status)) return undefined;
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(status, 'utf8'));
  return line ? Number(line[1]) * 1024 : undefined;
}
