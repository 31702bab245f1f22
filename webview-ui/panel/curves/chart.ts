/** How a chart of curves is drawn: the lines of a `ChartSpec` in the user's theme, by Chart.js. */
import type { Chart, ChartDataset } from 'chart.js';
import { formatNumber } from '../../../src/protocol/format.js';
import { curveStyle, type Theme } from '../../shared/theme.js';
import { axis, commonOptions, faint, tooltipColors, type Drawing } from '../chartBase.js';
import type { ChartSpec, Line } from './series.js';
import { describePoint, drawnPoints, shownLines, smooth, type Drawn } from './values.js';

export interface DrawOptions {
  theme: Theme;
  hidden: ReadonlySet<string>;
  intervals: boolean;
  /** See `smooth`; only for charts that are dense. */
  smoothing: number;
  log: boolean;
}

type CurvesChart = Chart<'line' | 'scatter'>;
type LineDataset = Omit<ChartDataset<'line'>, 'data'> & { data: Drawn[]; borderColor: string };

/** Points beyond this are thinned by Chart.js, keeping the shape. */
const mostPoints = 400;

/** Lines whose points at one step are told together under the pointer. */
const mostHovered = 6;

/** Shown lines as a chart; `points` counts what is drawn, the faint measurements not. */
export function curvesChart(
  spec: ChartSpec,
  options: DrawOptions,
): { drawing: Drawing; points: number } {
  const { theme, hidden, log } = options;
  const lines = shownLines(spec, hidden);
  const isLog = log && spec.canBeLog;
  const smoothing = spec.dense ? options.smoothing : 0;
  const withBars = options.intervals && spec.measure === 'score';
  const main = lines.map((line, i) => ({
    ...dataset(line, spec, theme, smoothing),
    // Later lines on top: they are the dashed ones, and do not hide what is below.
    order: -i,
  }));
  const raw = smoothing === 0 ? [] : lines.map((line) => faintDataset(line, spec, theme));
  const datasets = [...main, ...raw];
  const isChange = spec.measure === 'change';
  // Many lines at one step would cover the chart with text: then the nearest point speaks alone.
  const isCrowded = lines.length > mostHovered;
  const drawing: Drawing = {
    type: 'line',
    data: { datasets },
    options: {
      ...commonOptions,
      interaction: { mode: 'nearest', axis: isCrowded ? 'xy' : 'x', intersect: false },
      scales: {
        x: axis({ label: 'step', theme, grid: false, integers: true, ends: stepsOf(main) }),
        y: axis({
          label: spec.yLabel,
          theme,
          log: isLog,
          reverse: isChange && !spec.higherIsBetter,
          ends: isLog ? undefined : reachOf(main, spec, withBars),
        }),
      },
      plugins: {
        legend: { display: false },
        decimation: {
          enabled: true,
          algorithm: 'lttb',
          samples: mostPoints,
          threshold: mostPoints,
        },
        tooltip: {
          ...tooltipColors(theme),
          itemSort: (a, b) => a.datasetIndex - b.datasetIndex,
          filter: ({ datasetIndex }) => datasetIndex < main.length,
          callbacks: {
            title: (items) => (items[0] ? `step ${items[0].parsed.x}` : ''),
            label: ({ dataset: { label = '' }, raw: drawn }) => {
              const values = hover(drawn as Drawn, spec);
              return isCrowded ? [` ${label}`, ` ${values}`] : ` ${label}: ${values}`;
            },
          },
        },
      },
    },
    below: (chart) => {
      if (isChange) drawZero(chart, theme);
      if (withBars) drawErrorBars(chart, main);
    },
  };
  return { drawing, points: main.reduce((sum, { data }) => sum + data.length, 0) };
}

function dataset(line: Line, spec: ChartSpec, theme: Theme, smoothing: number): LineDataset {
  const color = curveStyle(line.style.color, theme.kind).color;
  const drawn = drawnPoints(line, spec);
  const ys = smooth(
    drawn.map(({ y }) => y),
    smoothing,
  );
  return {
    label: line.label,
    data: smoothing === 0 ? drawn : drawn.map((each, i) => ({ ...each, y: ys[i] ?? each.y })),
    borderColor: color,
    backgroundColor: color,
    borderDash: curveStyle(line.style.dash, theme.kind).dash,
    borderWidth: spec.dense ? 1.5 : 2,
    pointStyle: curveStyle(line.style.point, theme.kind).point,
    pointRadius: spec.dense ? 0 : 4,
    pointHoverRadius: 6,
    pointBorderWidth: 1.5,
    tension: 0,
    // Points at the ends are drawn whole.
    clip: 8,
  };
}

function faintDataset(line: Line, spec: ChartSpec, theme: Theme): LineDataset {
  const color = faint(curveStyle(line.style.color, theme.kind).color);
  return {
    label: '',
    data: drawnPoints(line, spec),
    borderColor: color,
    backgroundColor: color,
    borderWidth: 1,
    order: 1,
    pointRadius: 0,
    pointHitRadius: 0,
    pointHoverRadius: 0,
  };
}

function hover({ point, y }: Drawn, { dense }: ChartSpec): string {
  const smoothed = dense && y !== point.score ? ` (smoothed ${formatNumber(y)})` : '';
  return `${describePoint(point)}${smoothed}`;
}

/** All that is drawn fits, intervals too; a change always shows where zero is. */
function reachOf(
  datasets: readonly LineDataset[],
  { measure }: ChartSpec,
  withBars: boolean,
): { min: number; max: number } | undefined {
  const values = datasets.flatMap(({ data }) =>
    data.flatMap(({ y, low, high }) => (withBars ? [y, low ?? y, high ?? y] : [y])),
  );
  if (measure === 'change') values.push(0);
  if (values.length === 0) return undefined;
  // Not by `Math.max(...)`, whose arguments lie on the stack.
  const { min, max } = values.reduce(
    (ends, value) => ({ min: Math.min(ends.min, value), max: Math.max(ends.max, value) }),
    { min: Infinity, max: -Infinity },
  );
  const room = (max - min) * 0.05 || 0.1 * Math.abs(max) || 1;
  // A loss or a share is never below zero but by rounding, and its axis need not be.
  const isPositive = measure === 'score' && min > -room;
  return { min: isPositive ? Math.max(0, min - room) : min - room, max: max + room };
}

/** From the beginning to the last step drawn. */
function stepsOf(datasets: readonly LineDataset[]): { min: number; max: number } {
  const last = datasets.reduce((most, { data }) => Math.max(most, data.at(-1)?.x ?? 0), 0);
  return { min: 0, max: Math.max(1, last) };
}

/**
 * The base model's level. The better side is above it either way: the axis is turned round where
 * lower is better.
 */
function drawZero({ ctx, chartArea, scales }: CurvesChart, theme: Theme): void {
  const y = scales.y?.getPixelForValue(0);
  if (y === undefined) return;
  ctx.save();
  ctx.strokeStyle = theme.foreground;
  ctx.fillStyle = theme.muted;
  ctx.font = `11px ${theme.fontFamily}`;
  ctx.textAlign = 'right';
  ctx.beginPath();
  ctx.moveTo(chartArea.left, y);
  ctx.lineTo(chartArea.right, y);
  ctx.stroke();
  if (y - chartArea.top > 18) ctx.fillText('▲ better', chartArea.right - 4, y - 6);
  if (chartArea.bottom - y > 18) ctx.fillText('▼ worse', chartArea.right - 4, chartArea.bottom - 6);
  ctx.restore();
}

const cap = 3;

/** The 95 % interval of each point. */
function drawErrorBars(chart: CurvesChart, datasets: readonly LineDataset[]): void {
  const {
    ctx,
    scales: { x, y },
  } = chart;
  if (x === undefined || y === undefined) return;
  ctx.save();
  ctx.globalAlpha = 0.6;
  for (const { data, borderColor } of datasets) {
    ctx.strokeStyle = borderColor;
    ctx.beginPath();
    for (const { x: step, low, high } of data) {
      if (low === undefined || high === undefined) continue;
      const at = x.getPixelForValue(step);
      // A log scale has no place for an end at or below zero.
      const floor = y.type === 'logarithmic' ? Math.max(low, y.min) : low;
      const [top, bottom] = [y.getPixelForValue(high), y.getPixelForValue(floor)];
      ctx.moveTo(at, top);
      ctx.lineTo(at, bottom);
      ctx.moveTo(at - cap, top);
      ctx.lineTo(at + cap, top);
      ctx.moveTo(at - cap, bottom);
      ctx.lineTo(at + cap, bottom);
    }
    ctx.stroke();
  }
  ctx.restore();
}
