/** The memory of this process, measured as the PyTorch peer measures its own. */
import { existsSync, readFileSync } from 'node:fs';

/** Resident bytes: now (`VmRSS`) or the highest ever (`VmHWM`). */
export function residentBytes(field: 'VmRSS' | 'VmHWM'): number {
  const status = '/proc/self/status';
  if (existsSync(status)) {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(status, 'utf8'));
    if (line) return Number(line[1]) * 1024;
  }
  return field === 'VmRSS' ? process.memoryUsage.rss() : process.resourceUsage().maxRSS * 1024;
}
