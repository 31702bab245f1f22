/**
 * Numbers as people read them, the same in the terminal, the report and the editor.
 */

/** `digits` significant digits; a dash where there is no number. */
export function formatNumber(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2).replaceAll('-', '−');
  if (size >= 1000) return Math.round(value).toLocaleString('en').replace('-', '−');
  return String(Number(value.toPrecision(digits))).replace('-', '−');
}

/** Three significant digits, with its sign. */
export function formatChange(value: number | null | undefined): string {
  const text = formatNumber(value, 3);
  return typeof value === 'number' && value > 0 ? `+${text}` : text;
}

/** Seconds in words: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes in the largest unit that leaves a digit before the point: `512 B`, `1.5 MiB`, `12 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toPrecision(3))} ${units[power] ?? 'B'}`;
}

/** Half the width of a 95 % interval, in standard errors. */
export const width95 = 1.96;
