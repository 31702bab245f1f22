/** Legends as buttons: each shows the line it stands for, and hides it when pressed. */
import { html, svg, type SVGTemplateResult, type TemplateResult } from 'lit-html';
import { curveStyle, type CurveStyle, type Theme } from '../../shared/theme.js';
import { toggle } from '../../shared/toolkit.js';
import type { LegendEntry } from './series.js';

export function legend(
  entries: readonly LegendEntry[],
  hidden: ReadonlySet<string>,
  theme: Theme,
  onToggle: (key: string) => void,
): TemplateResult {
  return html`<div class="legend" role="group" aria-label="Lines; press to hide or show">
    ${entries.map(({ key, label, sample }) =>
      toggle(
        html`<span class="legend-entry">${lineSample(sample, theme)}<span>${label}</span></span>`,
        {
          pressed: !hidden.has(key),
          label,
          title: hidden.has(key) ? `Show ${label}` : `Hide ${label}`,
          onClick: () => onToggle(key),
        },
      ),
    )}
  </div>`;
}

/** A piece of the line: colour, dash and point as far as the entry has them. */
export function lineSample(sample: LegendEntry['sample'], theme: Theme): TemplateResult {
  const { color, dash, point } = sample;
  const stroke = color === undefined ? theme.foreground : curveStyle(color, theme.kind).color;
  const pattern = dash === undefined ? [] : curveStyle(dash, theme.kind).dash;
  return html`<svg class="line-sample" viewBox="0 0 36 12" aria-hidden="true">
    <line
      x1="1"
      x2="35"
      y1="6"
      y2="6"
      stroke=${stroke}
      stroke-width="2"
      stroke-dasharray=${pattern.join(' ')}
    />
    ${point === undefined ? '' : pointSample(curveStyle(point, theme.kind).point, stroke)}
  </svg>`;
}

const strokes: Partial<Record<CurveStyle['point'], string>> = {
  cross: 'M18 2 V10 M14 6 H22',
  crossRot: 'M15 3 L21 9 M21 3 L15 9',
  star: 'M18 2 V10 M14 6 H22 M15 3 L21 9 M21 3 L15 9',
  dash: 'M18 6 H23',
};
const areas: Partial<Record<CurveStyle['point'], string>> = {
  circle: 'M14.5 6 a3.5 3.5 0 1 0 7 0 a3.5 3.5 0 1 0 -7 0',
  rect: 'M15 3 H21 V9 H15 Z',
  triangle: 'M18 2 L22 9.5 H14 Z',
  rectRot: 'M18 2 L22 6 L18 10 L14 6 Z',
};

/** The shapes of Chart.js, in small. */
export function pointSample(shape: CurveStyle['point'], color: string): SVGTemplateResult {
  const area = areas[shape];
  return area === undefined
    ? svg`<path d=${strokes[shape] ?? ''} stroke=${color} stroke-width="2" fill="none" />`
    : svg`<path d=${area} fill=${color} />`;
}
