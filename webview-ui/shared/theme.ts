/**
 * Colours of the user's theme for what CSS cannot reach (canvases), and the palette of curves:
 * colour-blind safe (Okabe & Ito 2008), adapted to light and dark ground, each with a dash pattern
 * and a point shape of its own, so that no curve is told by colour alone.
 */

export type ThemeKind = 'light' | 'dark' | 'high-contrast' | 'high-contrast-light';

export interface Theme {
  kind: ThemeKind;
  foreground: string;
  muted: string;
  grid: string;
  background: string;
  fontFamily: string;
  fontSize: number;
}

export interface CurveStyle {
  color: string;
  /** Lengths of dash and gap, in pixels. */
  dash: number[];
  point: 'circle' | 'rect' | 'triangle' | 'rectRot' | 'cross' | 'star' | 'crossRot' | 'dash';
}

const onDark = [
  '#56b4e9',
  '#e69f00',
  '#2fc79a',
  '#f0e442',
  '#e2719c',
  '#ff7f50',
  '#a9a9f5',
  '#cccccc',
];
const onLight = [
  '#0072b2',
  '#b35900',
  '#00795a',
  '#7a6a00',
  '#a8327a',
  '#c0392b',
  '#5646a5',
  '#555555',
];
const dashes = [[], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [4, 4], [1, 3], [12, 3, 3, 3]];
const points = [
  'circle',
  'rect',
  'triangle',
  'rectRot',
  'cross',
  'star',
  'crossRot',
  'dash',
] as const;

export function readTheme(): Theme {
  const style = getComputedStyle(document.body);
  const color = (name: string, fallback: string): string =>
    style.getPropertyValue(name).trim() || fallback;
  const { classList } = document.body;
  const kind: ThemeKind = classList.contains('vscode-high-contrast-light')
    ? 'high-contrast-light'
    : classList.contains('vscode-high-contrast')
      ? 'high-contrast'
      : classList.contains('vscode-light')
        ? 'light'
        : 'dark';
  const foreground = color('--vscode-foreground', style.color);
  return {
    kind,
    foreground,
    muted: color('--vscode-descriptionForeground', foreground),
    grid: color('--vscode-panel-border', color('--vscode-contrastBorder', foreground)),
    background: color('--vscode-editor-background', style.backgroundColor),
    fontFamily: color('--vscode-font-family', 'sans-serif'),
    fontSize: Number.parseFloat(color('--vscode-font-size', '13px')),
  };
}

/** The style of the curve with a number; they repeat after eight. */
export function curveStyle(index: number, kind: ThemeKind): CurveStyle {
  const colors = kind === 'light' || kind === 'high-contrast-light' ? onLight : onDark;
  const at = <T>(list: readonly T[], fallback: T): T => list[index % list.length] ?? fallback;
  return { color: at(colors, '#888888'), dash: at(dashes, []), point: at(points, 'circle') };
}

/** Calls back when the user changes the theme; returns what stops that. */
export function onThemeChange(callback: () => void): () => void {
  const observer = new MutationObserver(callback);
  observer.observe(document.body, { attributes: true, attributeFilter: ['class'] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
  return () => observer.disconnect();
}
